package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/lab"
)

type replayCmd struct {
	File   string `arg:"" help:"A recording: .snmprec, .snmpwalk, or a Redfish bundle in JSON." type:"existingfile"`
	Listen string `help:"Address to listen on; port 0 is any free one." default:"127.0.0.1:0"`

	V3User        string `name:"v3-user" help:"Serve SNMPv3 to this user only. Default: to any who neither signs nor encrypts." placeholder:"NAME"`
	V3Auth        string `name:"v3-auth" help:"The user's authentication: MD5, SHA, SHA-224, SHA-256, SHA-384 or SHA-512." placeholder:"SHA-256"`
	V3AuthKeyFile string `name:"v3-auth-key-file" help:"File with the authentication pass phrase; or SPAREWATCH_V3_AUTH_KEY." type:"path" placeholder:"FILE"`
	V3Priv        string `name:"v3-priv" help:"The user's privacy: DES, AES, AES-192 or AES-256." placeholder:"AES"`
	V3PrivKeyFile string `name:"v3-priv-key-file" help:"File with the privacy pass phrase; or SPAREWATCH_V3_PRIV_KEY." type:"path" placeholder:"FILE"`
}

// Run serves the recording until it is interrupted.
func (c *replayCmd) Run(ctx context.Context) error {
	users, flags, err := c.users()
	if err != nil {
		return err
	}
	r, err := lab.Replay(c.File, c.Listen, users...)
	if err != nil {
		return err
	}
	fmt.Println(r.URL)
	fmt.Println(r.Command + flags)
	if n := len(r.Problems); n > 0 {
		fmt.Fprintf(os.Stderr, "sparewatch: %d lines of the recording cannot be read and are not served; the first: %v\n", n, r.Problems[0])
	}
	<-ctx.Done()
	return r.Stop()
}

// users is the SNMPv3 user that the flags name, and the flags by which inspect is that user.
func (c *replayCmd) users() (users []lab.SNMPUser, flags string, err error) {
	if c.V3User == "" {
		return nil, "", nil
	}
	u := lab.SNMPUser{Name: c.V3User, AuthProtocol: strings.ToUpper(c.V3Auth), PrivProtocol: strings.ToUpper(c.V3Priv)}
	auth, err := readSecret(c.V3AuthKeyFile, "SPAREWATCH_V3_AUTH_KEY")
	if err != nil {
		return nil, "", err
	}
	priv, err := readSecret(c.V3PrivKeyFile, "SPAREWATCH_V3_PRIV_KEY")
	if err != nil {
		return nil, "", err
	}
	if auth.Set() {
		u.AuthKey, u.AuthProtocol = auth.Reveal(), cmp.Or(u.AuthProtocol, "SHA-256")
	}
	if priv.Set() {
		u.PrivKey, u.PrivProtocol = priv.Reveal(), cmp.Or(u.PrivProtocol, "AES")
	}
	for _, f := range [][2]string{{"--v3-user", u.Name}, {"--v3-auth", u.AuthProtocol}, {"--v3-auth-key-file", c.V3AuthKeyFile}, {"--v3-priv", u.PrivProtocol}, {"--v3-priv-key-file", c.V3PrivKeyFile}} {
		if f[1] != "" {
			flags += " " + f[0] + " " + f[1]
		}
	}
	return []lab.SNMPUser{u}, flags, nil
}
