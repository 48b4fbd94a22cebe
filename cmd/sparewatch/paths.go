package main

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/sparewatch/sparewatch/pkg/api"
	"github.com/sparewatch/sparewatch/pkg/app"
	"github.com/sparewatch/sparewatch/pkg/bgp"
	"github.com/sparewatch/sparewatch/pkg/term"
)

type pathsCmd struct {
	Files       []string       `arg:"" name:"file" type:"existingfile" help:"MRT files (also .gz, .bz2) captures of BMP or BGP (.pcap, .pcapng), BMP streams, in the order of their times; or what routers print of their neighbours (FRR, EOS, NX-OS: JSON; Junos: XML; IOS: text)."`
	Prefix      []netip.Prefix `help:"A destination to judge, or a prefix of your own; may be given several times. Default: the default route, or all prefixes of --own." placeholder:"PREFIX"`
	Own         []string       `help:"Your own AS numbers: the files' peers are then viewers, and your prefixes are judged as they see them." placeholder:"AS"`
	RouteServer []string       `help:"AS numbers of route servers that do not leave themselves out of paths." placeholder:"AS"`
	JSON        bool           `help:"Print one JSON object."`
	All         bool           `help:"List everything."`
}

// Run reads the files and prints what the ways out share.
func (c *pathsCmd) Run() error {
	asked := app.PathsAsked{Files: c.Files, Prefixes: c.Prefix}
	var err error
	if asked.Own, err = asNumbers(c.Own); err != nil {
		return err
	}
	if asked.RouteServers, err = asNumbers(c.RouteServer); err != nil {
		return err
	}
	found, err := app.Paths(asked)
	if err != nil {
		return err
	}
	err = show(found, c.JSON, c.All, func(p *term.Printer) { p.Paths(found) })
	if err == nil && found.BadNews() {
		return answered(api.BadNews)
	}
	return err
}

// asNumbers reads AS numbers, with or without "AS" before them.
func asNumbers(words []string) ([]bgp.ASN, error) {
	var all []bgp.ASN
	for _, w := range words {
		n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(w), "AS"), 10, 32)
		if err != nil || n == 0 {
			return nil, hinted(badAS(w), "write --own 64500 or --own AS64500")
		}
		all = append(all, bgp.ASN(n))
	}
	return all, nil
}

type badAS string

func (b badAS) Error() string { return strconv.Quote(string(b)) + " is no AS number" }
