package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every sentence that a person may read for a mistake. The first line of each text is line 1 of c.yaml.
var mistakes = []struct{ text, want string }{
	// What is no configuration at all.
	{"", `c.yaml: it is empty; write at least:  devices: [redfish://10.0.0.1]`},
	{"# nothing\n", `c.yaml: it is empty; write at least:  devices: [redfish://10.0.0.1]`},
	{"site: x\n", `c.yaml: it names no device; write at least:  devices: [redfish://10.0.0.1]`},
	{"hello", `c.yaml:1: the configuration is a single value here, not keys with values; write key: value`},
	{"- a\n- b\n", `c.yaml:1: the configuration is a list here, not keys with values; write key: value`},
	{"devices:\n\t- snmp://10.0.0.1\n", `c.yaml:2: a tab stands where YAML wants spaces; indent with spaces`},
	{"devices: [{name: srv-[1-2], kind: host}]\n", `c.yaml:1: not YAML: did not find expected ',' or '}'; put names with [ ] in quotes where they stand in { } or [ ]`},
	{"devices: [snmp://10.0.0.[1-2]]\n", `c.yaml:1: not YAML: did not find expected ',' or ']'; put names with [ ] in quotes where they stand in { } or [ ]`},
	{"site: a: b\n", `c.yaml:1: not YAML: mapping values are not allowed in this context; put a value that holds ": " in quotes, and check the indentation`},
	{"site: [a\n", `c.yaml:2: not YAML: did not find expected ',' or ']'; see configs/sparewatch.yaml for how it is written`},
	{"credentials: {a: {user: u, password: *hunter2}}\n", `c.yaml: not YAML: an alias (*name) to an anchor that is not there; put a value that begins with * in quotes, or define the anchor (&name) before it`},
	{"a\x00b", `c.yaml: not YAML: it holds bytes that are no text; give a text file`},
	{"\x7fELF\x01", `c.yaml: not YAML: control characters are not allowed; see configs/sparewatch.yaml for how it is written`},

	// Loops are named beside other mistakes.
	{"topology:\n  feeds:\n    - {id: a, fed_by: b}\n    - {id: b, fed_by: a}\n    - {id: c, fed_by: nobody}\n", `c.yaml:3: these need one another in a loop: site/feed/a needs site/feed/b needs site/feed/a; take one of these links out
c.yaml:5: nothing is called "nobody"; declare it under devices, or under topology as a feed, ups, pdu or whatever it is`},

	// Capacity and failure rates.
	{"devices: [snmp://10.0.0.1]\ncapacity: {derate: 1.2}\n", `c.yaml:2: derate is 1.2, more than all of it; write 0.8 for 80 %`},
	{"devices: [snmp://10.0.0.1]\ncapacity: {window: 1m}\n", `c.yaml:2: window is 1m, too short; write 7m or more`},
	{"devices: [snmp://10.0.0.1]\nlinks: {errors: 2}\n", `c.yaml:2: errors is 2, more than all frames; write 0.0001 for one in ten thousand`},
	{"devices: [snmp://10.0.0.1]\nlinks: {error: 0.1}\n", `c.yaml:2: links has no key "error"; did you mean errors?`},
	{"devices: [snmp://10.0.0.1]\ncapacity:\n  kinds: {upz: 0.9}\n", `c.yaml:3: "upz" is no kind of component; did you mean ups?`},
	{"topology: {feeds: [{id: a, phase: L4}]}\n", `c.yaml:1: phase is "L4"; write L1, L2, L3, L1-L2, L2-L3, L3-L1, or L1-L2-L3`},
	{"topology: {feeds: [{id: a, draws: {amps: 3}}]}\n", `c.yaml:1: draws is given in amperes without a voltage; write the volts too: {amps: 1.5, volts: 230}`},
	{"topology: {feeds: [{id: a, draws: {phases: 3}}]}\n", `c.yaml:1: draws does not say how much; write {watts: 350}, {va: 400} or {amps: 1.5, volts: 230}`},
	{"topology: {feeds: [{id: a, mttr: 4h}]}\n", `c.yaml:1: an entry of feeds says how long a repair takes, and not how often it fails; write mtbf: 100000h too`},
	{"topology:\n  feeds: [a]\n  rates: {psu: {}}\n", `c.yaml:3: the rate of psu says nothing; write {mtbf: 100000h, mttr: 24h}`},
	{"topology:\n  feeds: [a]\n  rates: {pse: {mtbf: 1000h}}\n", `c.yaml:3: "pse" is no kind of component; did you mean psu?`},

	// Rules.
	{"devices: [snmp://10.0.0.1]\nfindings: {rule: {}}\n", `c.yaml:2: findings has no key "rule"; did you mean rules?`},
	{"devices: [snmp://10.0.0.1]\nfindings:\n  rules:\n    redundancy-lots: {hold: 1m}\n", `c.yaml:4: "redundancy-lots" is no rule; did you mean redundancy-lost?`},
	{"devices: [snmp://10.0.0.1]\nfindings:\n  rules:\n    input-lost: {}\n", `c.yaml:4: the rule input-lost says nothing; write {severity: warning} or {hold: 5m}`},
	{"devices: [snmp://10.0.0.1]\nfindings:\n  rules:\n    input-lost: {severity: eror}\n", `c.yaml:4: "eror" is no severity; did you mean error?`},
	{"devices: [snmp://10.0.0.1]\nfindings:\n  rules:\n    input-lost: {severity: {0: urgent, 4: info, all: info}}\n", `c.yaml:4: "urgent" is no severity; write info, warning, error or critical
c.yaml:4: the severity of input-lost has no tier "4"; write 3, which stands for all from 3 on
c.yaml:4: the severity of input-lost has no tier "all"; write 0, 1, 2, 3 (which stands for all from 3 on), or none`},
	{"devices: [snmp://10.0.0.1]\nfindings:\n  rules:\n    input-lost: {severity: [info]}\n", `c.yaml:4: the severity of input-lost is a list here, not keys with values; write key: value`},
	{"devices: [snmp://10.0.0.1]\nfindings:\n  rules:\n    input-lost: {hold: 2d}\n", `c.yaml:4: hold is 2d, too long; write 24h or less`},
	{"devices: [snmp://10.0.0.1]\nfindings:\n  rules:\n    export-loss: {hold: 5m}\n", `c.yaml:4: the rule export-loss tells of what is lost already, and waits for nothing; take it out`},
	{"devices: [snmp://10.0.0.1]\nfindings: {recover: 10}\n", `c.yaml:2: recover is "10"; write the unit too: 10s or 10m`},

	// Maintenance.
	{"devices: [snmp://10.0.0.1]\nmaintenance:\n  windows:\n    - {from: 2026-11-30T22:00Z, to: 2026-11-30T23:00Z}\n", `c.yaml:4: a window of maintenance does not say what it is about; write what: NAME, or a list of names`},
	{"devices: [snmp://10.0.0.1]\nmaintenance:\n  windows:\n    - {what: 10.0.0.1, from: tonight, to: 2026-11-30T23:00Z}\n", `c.yaml:4: from of a window of maintenance is "tonight"; write a time with its zone, as 2026-11-30T22:00+01:00 or 2026-11-30T21:00Z`},
	{"devices: [snmp://10.0.0.1]\nmaintenance:\n  windows:\n    - {what: 10.0.0.1, from: 2026-11-30T22:00Z, to: 2026-11-30T21:00Z}\n", `c.yaml:4: it ends before it begins; write a later time`},
	{"devices: [snmp://10.0.0.1]\nmaintenance:\n  windows:\n    - {what: circuit-9, from: 2026-11-30T22:00Z, to: 2026-11-30T23:00Z}\n", `c.yaml:4: nothing is called "circuit-9"; declare it under devices, or under topology as a feed, ups, pdu or whatever it is`},
	{"devices: [snmp://10.0.0.1]\nmaintenance: {calendars: c.yaml}\n", `c.yaml:2: calendar c.yaml: it is no iCalendar file: ical: malformed component: expected BEGIN property, got "DEVICES"; give an iCalendar file (.ics)`},

	// Exports.
	{"devices: [snmp://10.0.0.1]\ninflux: {url: http://a}\n", `c.yaml:2: influx is keys with values, not a list; write - before each entry, or [ ] around them`},
	{"devices: [snmp://10.0.0.1]\ninflux:\n  - {bucket: b}\n", `c.yaml:3: an entry of influx has no url; write url: https://influx.example.net:8086`},
	{"devices: [snmp://10.0.0.1]\ninflux:\n  - {url: https://a}\n", `c.yaml:3: an entry of influx says neither a bucket nor a database; write bucket (InfluxDB 2 and 3) or database (InfluxDB 1)`},
	{"devices: [snmp://10.0.0.1]\ninflux:\n  - {url: https://a/api/v2/write, bucket: b}\n", `c.yaml:3: the url of an entry of influx holds a path of the API; write https://a, and bucket or database beside it`},
	{"devices: [snmp://10.0.0.1]\ninflux:\n  - {url: https://a, bucket: b, database: d}\n", `c.yaml:3: an entry of influx has both a bucket and a database; take one of them out: bucket is for InfluxDB 2 and 3, database for 1`},
	{"devices: [snmp://10.0.0.1]\ninflux:\n  - {url: https://a, database: d, org: o}\n", `c.yaml:3: an entry of influx has a database, and an org or a token, which InfluxDB 1 does not know; write user and password_file, or bucket in the place of database`},
	{"devices: [snmp://10.0.0.1]\ninflux:\n  - {url: https://a, bucket: b, spool: 1 TB}\n", `c.yaml:3: spool is "1 TB"; write a size as 256MiB or 2GiB`},
	{"devices: [snmp://10.0.0.1]\ninflux:\n  - {url: https://a, bucket: b, spool: 1MB}\n", `c.yaml:3: spool is "1MB"; write from 8 MiB to 1024 GiB`},
	{"devices: [snmp://10.0.0.1]\ninflux:\n  - {url: https://a, bucket: b}\notlp:\n  - {name: influx, url: 'https://a/v1/metrics'}\n", `c.yaml:5: two receivers of numbers are called influx: also at c.yaml:3; give one of them another name with name:`},
	{"devices: [snmp://10.0.0.1]\nremote_write:\n  - {url: https://a}\n", `c.yaml:3: the url of an entry of remote_write has no path; write https://prometheus.example.net/api/v1/write`},
	{"devices: [snmp://10.0.0.1]\nremote_write:\n  - {url: https://u:p@a/w}\n", `c.yaml:3: the url of an entry of remote_write holds a user; write user and password_file beside it`},
	{"devices: [snmp://10.0.0.1]\nremote_write:\n  - {url: https://a/w, user: u}\n", `c.yaml:3: an entry of remote_write has one of user and password without the other; write user and password_file, or token_file`},
	{"devices: [snmp://10.0.0.1]\notlp:\n  - {url: https://a/w, headers: {authorization: x}}\n", `c.yaml:3: a secret does not belong in headers; write token_file, or user and password_file`},

	// Keys.
	{"devices: [snmp://10.0.0.1]\ndevise: 1\n", `c.yaml:2: the configuration has no key "devise"; did you mean devices?`},
	{"devices: [snmp://10.0.0.1]\nsite: a\nsite: b\n", `c.yaml:3: the configuration has the key "site" twice: also at line 2; take one of them out`},
	{"devices:\n  - {neme: a, urls: [snmp://10.0.0.1]}\n", `c.yaml:2: a device has no key "neme"; did you mean name?`},
	{"devices: {a: b}\n", `c.yaml:1: devices is keys with values, not a list; write - before each entry, or [ ] around them`},
	{"devices: [snmp://10.0.0.1]\nweb: x\n", `c.yaml:2: web is a single value here, not keys with values; write key: value`},
	{"devices: [snmp://10.0.0.1]\nsite: [a]\n", "c.yaml:2: site is a list, not a single value; write one value (in quotes where it holds [ ] or { })\nc.yaml:2: the site has no name; write name: NAME"},
	{"devices: [snmp://10.0.0.1]\nsite: a/b\n", `c.yaml:2: the name "a/b" holds a slash, which divides the parts of an id; write letters, digits and . _ - + : only`},
	{"devices: [snmp://10.0.0.1]\nsite: a b\n", `c.yaml:2: "a b" cannot be a name; write letters, digits and . _ - + : only`},

	// Devices and URLs.
	{"devices:\n  -\n  - snmp://10.0.0.1\n", `c.yaml:2: devices holds an empty entry; write a URL, or name: and urls:`},
	{"devices: [{kind: host}]\n", `c.yaml:1: a device has neither a name nor urls; write name: NAME and urls: [URL]`},
	{"devices: [{name: a, kind: hots}]\n", `c.yaml:1: "hots" is no kind of device; did you mean host?`},
	{"devices: [{name: a, kind: feed}]\n", `c.yaml:1: "feed" is no kind of device; write host, switch, router, pdu, ups, ats, enclosure, generator or cooling`},
	{"devices: [10.0.0.1]\n", `c.yaml:1: "10.0.0.1" is no URL; write redfish://HOST, snmp://HOST or ipmi://HOST`},
	{"devices: [https://10.0.0.1]\n", `c.yaml:1: "https://10.0.0.1" says how to talk, but not what the device speaks; write redfish://HOST (redfish+http://HOST where it has no TLS)`},
	{"devices: [redfihs://10.0.0.1]\n", `c.yaml:1: there is no scheme redfihs://; did you mean redfish?`},
	{"devices: [gopher://10.0.0.1]\n", `c.yaml:1: there is no scheme gopher://; write redfish://, redfish+http://, snmp://, ipmi://, bgp://, bmp://, gobgp:// or gobgp+tls://`},
	{"devices: [snmp://10.0.0.0/24]\n", `c.yaml:1: "snmp://10.0.0.0/24" is a network, but a URL names one device; write a range, as snmp://10.0.0.[1-254]`},
	{"devices: ['redfish://[fd00::]/64']\n", `c.yaml:1: "redfish://[fd00::]/64" is a network, but a URL names one device; write a range, as redfish://10.0.0.[1-254]`},
	{"devices: [snmp://10.0.0.300]\n", `c.yaml:1: the host of "snmp://10.0.0.300" is no IPv4 address; write snmp://HOST[:PORT]`},
	{"devices: [snmp://fd00::1]\n", `c.yaml:1: the host of "snmp://fd00::1" is no IPv6 address; write snmp://HOST[:PORT], an IPv6 address in [ ]`},
	{"devices: [snmp://]\n", `c.yaml:1: the host of "snmp://" is missing; write snmp://HOST[:PORT]`},
	{"devices: [snmp://a_b..c]\n", `c.yaml:1: the host of "snmp://a_b..c" is no host name; write snmp://HOST[:PORT]`},
	{"devices: [snmp://h:99999]\n", `c.yaml:1: the port of "snmp://h:99999" is not from 1 to 65535; write snmp://HOST[:PORT]`},
	{"devices: [redfish://h/redfish/v1]\n", `c.yaml:1: "redfish://h/redfish/v1" goes on after the host; write only redfish://HOST[:PORT]`},
	{"devices: [redfish://root:hunter2@h]\n", `c.yaml:1: "redfish://<secret>@h" holds a login; write it under credentials, the password in a file`},
	{"devices: [snmp://u:hunter2@h]\n", `c.yaml:1: "snmp://<secret>@h" holds a user and a password; write them under credentials as v3`},
	{"devices: ['redfish://root:hun%zzter2@h']\n", `c.yaml:1: "redfish://<secret>@h" is no URL; write redfish://HOST[:PORT], an IPv6 address in [ ]`},
	{"devices:\n  - snmp://10.0.0.1\n  - snmp://10.0.0.1:161\n", `c.yaml:3: there are two devices called 10.0.0.1: also at c.yaml:2; give one of them another name, or write all its urls in one place`},
	{"devices:\n  - {name: a, url: snmp://H}\n  - {name: b, url: 'snmp://h:161'}\n", `c.yaml:3: snmp://h is the URL of a and of b; take one of them out`},
	{"devices:\n  - {name: a, urls: [snmp://h, snmp://h/]}\n", `c.yaml:2: a has the URL snmp://h twice; take one of them out`},
	{"devices:\n  - {name: a, url: snmp://h}\n  - {name: a, url: snmp://i}\n", `c.yaml:3: there are two devices called a: also at c.yaml:2; give one of them another name, or write all its urls in one place`},
	{"devices: [{name: 'a[1-3]', urls: ['snmp://10.0.0.[1-2]']}]\n", `c.yaml:1: the name stands for 3 devices, but this URL for 2; make the two ranges equally long`},
	{"devices: [{name: 'a[1-2]', urls: ['snmp://10.0.0.1']}]\n", `c.yaml:1: the name stands for 2 devices, but this URL for 1; make the two ranges equally long`},
	{"devices: [{name: 'a[2-1]', kind: host}]\n", `c.yaml:1: "a[2-1]" has [2-1], which counts backwards: write [1-2]; write srv-[1-12], srv-[01-12] or srv-[a,b]`},
	{"devices: [{name: a, url: snmp://h, urls: [snmp://i]}]\n", `c.yaml:1: the device has both url and urls; write urls: [URL, URL]`},
	{"site: a\ndevices: [{name: a, url: snmp://h}]\n", `c.yaml:2: the device a is called like the site; give one of them another name`},

	// Credentials.
	{"devices: [{url: snmp://h, credentials: pud}]\ncredentials:\n  pdu: {community: x}\n", `c.yaml:1: there are no credentials pud; did you mean pdu?`},
	{"devices: [{url: snmp://h, credentials: pdu}]\n", `c.yaml:1: there are no credentials pdu; write credentials: {pdu: {user: NAME, password_file: FILE}}`},
	{"devices: [redfish://h]\ncredentials:\n  a: {user: u, password: x}\n  b: {user: u, password: x}\n", `c.yaml:1: h does not say which credentials it needs; write credentials: a or b`},
	{"devices: [redfish://h]\ncredentials:\n  a: {community: x}\n", `c.yaml:1: redfish://h needs a user and a password, but the credentials a are SNMP's; name credentials with user and password_file`},
	{"credentials:\n  a:\n", `c.yaml:2: the credential a is empty; write user and password_file, community_file, or v3 under it`},
	{"credentials:\n  a: {user: u}\n", `c.yaml:2: the credential a has a user but no password; write password_file: FILE, or password_env, password_credential or password`},
	{"credentials:\n  a: {password: hunter2}\n", `c.yaml:2: the credential a has a password but no user; write user: NAME`},
	{"credentials:\n  a: {user: u, password: hunter2, password_file: pw}\n", `c.yaml:2: the credential a has both password and password_file; take one of them out`},
	{"credentials:\n  a: {user: u, password_file: missing}\n", `c.yaml:2: password_file missing: no such file or directory; put it there, or make it readable for the user that runs sparewatch`},
	{"credentials:\n  a: {user: u, password_file: /}\n", `c.yaml:2: password_file /: it is no file but a folder; name a file`},
	{"credentials:\n  a: {user: u, password_file: none}\n", `c.yaml:2: password_file none is empty; put the secret in it, on one line`},
	{"credentials:\n  a: {user: u, password_file: two}\n", `c.yaml:2: password_file two holds more than one line; put the secret in it, on one line, and nothing else`},
	{"credentials:\n  a: {user: u, password_env: NOT_SET}\n", `c.yaml:2: the environment has no NOT_SET; set it for the user that runs sparewatch`},
	{"credentials:\n  a: {user: u, password_env: hunter2}\n", `c.yaml:2: password_env does not name an environment variable; write the variable's name only, as SPAREWATCH_PASSWORD`},
	{"credentials:\n  a: {user: u, password_credential: bmc}\n", `c.yaml:2: there are no systemd credentials here ($CREDENTIALS_DIRECTORY is not set); write LoadCredential=bmc:/path in the unit`},
	{"credentials:\n  a: {version: 4}\n", `c.yaml:2: version is "4"; write "1", 2c or "3"`},
	{"credentials:\n  a: {version: 3}\n", `c.yaml:2: SNMP version 3 needs a user; write v3: {user: ..., auth: SHA-256, auth_key_file: ...}`},
	{"credentials:\n  a: {version: 2c, v3: {user: u, auth: SHA, auth_key: aaaaaaaa}}\n", `c.yaml:2: version is 2c, but v3 is given too; take one of them out`},
	{"credentials:\n  a: {v3: {user: u, auth: SHA-265, auth_key: aaaaaaaa}}\n", `c.yaml:2: auth is "SHA-265"; write MD5, SHA, SHA-224, SHA-256, SHA-384 or SHA-512`},
	{"credentials:\n  a: {v3: {user: u, auth: SHA}}\n", `c.yaml:2: v3 of a has auth: SHA, but no auth_key; write auth_key_file: FILE`},
	{"credentials:\n  a: {v3: {user: u, auth: SHA, auth_key_file: short}}\n", `c.yaml:2: the auth_key of v3 of a is shorter than SNMPv3 allows; use the key that the device was given: 8 letters or more`},
	{"credentials:\n  a: {v3: {user: u, priv: AES, priv_key: aaaaaaaa}}\n", `c.yaml:2: v3 of a encrypts without authenticating, which SNMPv3 cannot; write auth and auth_key_file too`},
	{"credentials:\n  a: {v3: {auth: SHA, auth_key: aaaaaaaa}}\n", `c.yaml:2: v3 of a has no user; write user: NAME`},
	{"credentials:\n  a: {community: x, tls: {fingerprint: ab:cd}}\n", `c.yaml:2: fingerprint is "ab:cd"; write the SHA-256 of the certificate, 64 hexadecimal digits; check --pin prints it`},
	{"credentials:\n  a: {community: x, tls: {ca: missing.pem}}\n", `c.yaml:2: ca missing.pem: no such file or directory; put it there, or make it readable for the user that runs sparewatch`},
	{"credentials:\n  a: {community: x, tls: {ca: pw}}\n", `c.yaml:2: ca pw holds no certificate; give the authority's certificate in PEM (-----BEGIN CERTIFICATE-----)`},
	{"credentials:\n  a: {community: x, tls: {insecure: maybe}}\n", `c.yaml:2: insecure is "maybe"; write true or false`},
	{"credentials:\n  a: {community: x, tls: {insecure: true, fingerprint: '" + strings.Repeat("ab", 32) + "'}}\n", `c.yaml:2: tls of a says how certificates are verified, and that they aren't; take insecure out`},

	// Topology.
	{"topology: {feeds: [a, a]}\n", `c.yaml:1: a is declared twice: also at c.yaml:1; take one of them out`},
	{"topology: {feeds: [{fed_by: x}]}\n", `c.yaml:1: an entry of feeds has no id; write id: NAME`},
	{"topology: {feed: [a]}\n", `c.yaml:1: topology has no key "feed"; did you mean feeds?`},
	{"topology: {components: [{id: a}]}\n", `c.yaml:1: a has no kind; write kind: feed, or whatever it is`},
	{"topology: {components: [{id: a, kind: flywheel}]}\n", `c.yaml:1: "flywheel" is no kind of component; write one of ats, bank, battery, bgp_session, blade, breaker, circuit, conduit, controller, cooling, cpu, drive, enclosure, fan, feed, generator, host, inlet, memory, module, nic, outlet, panel, path, pdu, phase, port, psu, rectifier, route, router, sensor, switch, ups, upstream, utility, volume`},
	{"topology: {feeds: [{id: a, fed_by: b}]}\n", `c.yaml:1: nothing is called "b"; did you mean a?`},
	{"topology: {feeds: [{id: feed-a, fed_by: grid}]}\n", `c.yaml:1: nothing is called "grid"; declare it under devices, or under topology as a feed, ups, pdu or whatever it is`},
	{"topology: {feeds: [{id: a, rating: {phases: 3}}]}\n", `c.yaml:1: rating does not say how much it carries; write {amps: 32, volts: 230, phases: 3}, {va: 10000}, {watts: 750} or {bits: 10e9}`},
	{"topology: {feeds: [{id: a, breaker: {amps: 32A}}]}\n", `c.yaml:1: amps is "32A"; write a number greater than 0, in A, without the unit`},
	{"topology: {feeds: [{id: a, breaker: {amps: 32, phases: 2}}]}\n", `c.yaml:1: breaker has 2 phases; write 1 or 3`},
	{"topology: {feeds: [{id: a, derate: 80}]}\n", `c.yaml:1: derate is 80, more than all of it; write 0.8 for 80 %`},
	{"devices: [{name: a, kind: pdu}]\ntopology: {feeds: [a]}\n", `c.yaml:2: a is a device, so that no feed may be called so; give one of them another name`},
	{"devices: [{name: a, kind: pdu}]\ntopology: {ups: [a]}\n", `c.yaml:2: a is a ups here and a pdu at c.yaml:1; say the same in both places`},

	// Cables and links.
	{devs + "topology: {cables: [s1/psu/1 <- pdu/outlet/1]}\n", ""},
	{devs + "topology: {cables: [s1/psu/1 -> pdu/outlet/1]}\n", `c.yaml:2: "s1/psu/1 -> pdu/outlet/1" points the wrong way; write "DEPENDANT <- PROVIDER", as "srv-101/psu/1 <- pdu-a/outlet/1"`},
	{devs + "topology: {cables: [s1/psu/1]}\n", `c.yaml:2: "s1/psu/1" is no cable; write "DEPENDANT <- PROVIDER", as "srv-101/psu/1 <- pdu-a/outlet/1"`},
	{devs + "topology: {cables: ['s[1-3]/psu/1 <- pdu/outlet/[1-2]']}\n", `c.yaml:2: "pdu/outlet/[1-2]" stands for 2 names, but there are 3 dependants left of it; make the two ranges equally long`},
	{devs + "topology: {cables: ['s1/psu/1 <- pdu/outlet/[1-12]']}\n", `c.yaml:2: "pdu/outlet/[1-12]" stands for 12 names, but there is 1 dependant left of it; make the two ranges equally long`},
	{devs + "topology: {cables: ['s1/psu/1, s2/psu/1 <- pdu/outlet/1']}\n", `c.yaml:2: "s1/psu/1, s2/psu/1 <- pdu/outlet/1" has several dependants; write a cable for each, or a range`},
	{devs + "topology: {cables: ['s1/psu/1 <- pdu/outlet/1, ']}\n", `c.yaml:2: "pdu/outlet/1," has an empty place between its commas; write NAME, or NAME, NAME`},
	{devs + "topology: {cables: ['s1/psu/1 <- pdu/outlet/1, pdu/outlet/1']}\n", `c.yaml:2: "pdu/outlet/1" is named twice for "s1/psu/1"; take one of them out`},
	{devs + "topology: {cables: ['s9/psu/1 <- pdu/outlet/1']}\n", `c.yaml:2: there is no device "s9"; did you mean s1?`},
	{devs + "topology: {cables: ['s1/psi/1 <- pdu/outlet/1']}\n", `c.yaml:2: "psi" in "s1/psi/1" is no kind of component; did you mean psu?`},
	{devs + "topology: {cables: ['s1/psu/1 <- pdu/outlet']}\n", `c.yaml:2: "pdu/outlet" does not say which outlet; write pdu/outlet/1`},
	{devs + "topology: {cables: ['s1/psu/1 <- pdu/7']}\n", `c.yaml:2: "pdu/7" does not say of what kind it is; write pdu/outlet/7, or psu, inlet, port`},
	{devs + "topology: {cables: ['s1/psu/ <- pdu/outlet/1']}\n", `c.yaml:2: "s1/psu/" ends after its kind; write s1/psu/1`},
	{devs + "topology: {cables: ['s1/psu/1 <- pdu outlet']}\n", `c.yaml:2: "pdu outlet" cannot be a name; write a name, or DEVICE/KIND/NUMBER as srv-101/psu/1`},
	{devs + "topology: {cables: ['s1/psu/1 <- s1']}\n", `c.yaml:2: s1, a host, feeds nothing; name an outlet, pdu, feed, ups or whatever gives it power`},
	{devs + "topology: {cables: ['pdu/outlet/1 <- s1/psu/1']}\n", `c.yaml:2: s1/psu/1 cannot feed pdu/outlet/1; the dependant stands left: write "s1/psu/1 <- pdu/outlet/1"`},
	{devs + "topology: {cables: ['s1/psu/1 <- s1/psu/1']}\n", `c.yaml:2: s1/psu/1 hangs on itself; name what it hangs on`},
	{devs + "topology:\n  cables:\n    - s1/psu/1 <- pdu/outlet/1\n    - s1/psu/1 <- pdu/outlet/2\n", `c.yaml:5: s1/psu/1 hangs on a cable already: at c.yaml:4; take one out, or write both providers in one line where it has two inputs: A, B`},
	{devs + "topology:\n  pdus:\n    - {id: pdu, fed_by: f}\n  feeds: [f]\n  cables: [pdu/inlet/1 <- f]\n", `c.yaml:4: pdu is fed as a whole here, and at its inlet 1 at c.yaml:6; say only which inlet hangs on what`},
	{devs + "topology: {links: ['pdu feed s1']}\n", `c.yaml:2: "pdu feed s1" is no link; write "PROVIDER VERB DEPENDANT" with feeds, cools, carries, contains or neighbour, as "crac-1 cools srv-[101-112]"`},
	{"topology: {feeds: [f], routers: [r], cables: [r/psu/1 <- f]}\n", `c.yaml:1: "r" is no device, so that "r/psu/1" cannot be judged; write {name: r, kind: ...} under devices; a device need not have urls`},
	{"topology:\n  feeds:\n    - {id: a, fed_by: b}\n    - {id: b, fed_by: c}\n    - {id: c, fed_by: a}\n", `c.yaml:3: these need one another in a loop: site/feed/a needs site/feed/b needs site/feed/c needs site/feed/a; take one of these links out`},

	// Groups.
	{devs + "topology: {groups: [{members: [s1, s2], needed: 1}]}\n", `c.yaml:2: a group has no id; write id: NAME, or id: DEVICE/group/psu`},
	{devs + "topology: {groups: [{id: g, needed: 1}]}\n", `c.yaml:2: the group g has no members; write members: [NAME, NAME]`},
	{devs + "topology: {groups: [{id: g, members: [s1, s2]}]}\n", `c.yaml:2: the group g does not say how many members are needed; write needed: 1, or policy: n+1`},
	{devs + "topology: {groups: [{id: g, members: [s1, s2], needed: 3}]}\n", `c.yaml:2: the group g needs 3 of 2 members; write needed: 2 or less`},
	{devs + "topology: {groups: [{id: g, members: [s1, s2], needed: 3, designed: 4}]}\n", `c.yaml:2: the group g needs 3, but only 2 are named; name more members`},
	{devs + "topology: {groups: [{id: g, members: [s1, s2], needed: 1, designed: 1}]}\n", `c.yaml:2: the group g has 2 members, but is designed for 1; raise designed, or leave it out`},
	{devs + "topology: {groups: [{id: g, members: [s1, s2], policy: n+2}]}\n", `c.yaml:2: the group g: n+2 takes more than 2 members; write policy: n, n+1, n+2, 2n, 2n+1 or active/standby`},
	{devs + "topology: {groups: [{id: g, members: [s1, s2], policy: n, needed: 1}]}\n", `c.yaml:2: the group g needs 1, but n of 2 needs 2; take one of them out`},
	{devs + "topology: {groups: [{id: g, members: [s1, s1], needed: 1}]}\n", `c.yaml:2: the group g has the member s1 twice; take one out`},
	{devs + "topology: {groups: [{id: g, members: [s1, s4], needed: 1}]}\n", `c.yaml:2: nothing is called "s4"; did you mean s1?`},
	{devs + "topology: {groups: [{id: g, members: [s1, s2], needed: one}]}\n", "c.yaml:2: needed is \"one\"; write a whole number, 1 or more\nc.yaml:2: the group g does not say how many members are needed; write needed: 1, or policy: n+1"},
	{devs + "topology: {groups: [{id: s1/psu/1, members: [s1, s2], needed: 1}]}\n", `c.yaml:2: s1/psu/1 is no id of a group; write NAME, or DEVICE/group/psu`},
	{devs + "topology: {groups: [{id: g, members: [s1, s2], needed: 1, carries: s1}]}\n", `c.yaml:2: the group g carries its own member s1; name what leans on the group`},

	// Services.
	{devs + "services: [{needs: s1}]\n", `c.yaml:2: a service has no name; write name: NAME`},
	{devs + "services: [{name: x}]\n", `c.yaml:2: the service x does not say what it needs; write needs: NAME, or needs: {at_least: 2, of: [NAME, NAME, NAME]}`},
	{devs + "services: [{name: x, needs: s9}]\n", `c.yaml:2: nothing is called "s9"; did you mean s1?`},
	{devs + "services: [{name: x, needs: {at_least: 3, of: [s1, s2]}}]\n", `c.yaml:2: at least 3 of 2 are needed; write at_least: 2 or less`},
	{devs + "services: [{name: x, needs: {at_least: 0, of: [s1, s2]}}]\n", `c.yaml:2: at_least is "0"; write a whole number, 1 or more`},
	{devs + "services: [{name: x, needs: {of: [s1, s2]}}]\n", `c.yaml:2: needs is put together wrongly; write {at_least: 2, of: [...]}, {any_of: [...]} or {all_of: [...]}`},
	{devs + "services: [{name: x, needs: {any_off: [s1, s2]}}]\n", "c.yaml:2: needs has no key \"any_off\"; did you mean any_of?\nc.yaml:2: needs is put together wrongly; write {at_least: 2, of: [...]}, {any_of: [...]} or {all_of: [...]}"},
	{devs + "services: [{name: x, needs: {any_of: []}}]\n", `c.yaml:2: any_of is empty; name at least one`},
	{devs + "services: [{name: x, needs: {any_of: [s1, s1]}}]\n", `c.yaml:2: s1 is named twice among the same needs; take one out: it cannot stand in for itself`},
	{devs + "services: [{name: x, tier: gold, needs: s1}]\n", `c.yaml:2: tier is "gold"; write a whole number from 0 to 9`},
	{devs + "services: [{name: x, rto: 15, needs: s1}]\n", `c.yaml:2: rto is "15"; write the unit too: 15s or 15m`},
	{devs + "services: [{name: x, rto: soon, needs: s1}]\n", `c.yaml:2: rto is "soon"; write a duration as 15s, 10m, 1h30m or 2d`},
	{devs + "services: [{name: x, needs: s1}, {name: x, needs: s2}]\n", `c.yaml:2: there are two services called x: also at c.yaml:2; give one of them another name`},
	{devs + "services: [{name: x, needs: y}, {name: y, needs: x}]\n", `c.yaml:2: these need one another in a loop: site/service/x needs site/service/y needs site/service/x; take one of these links out`},
	{devs + "services: [{name: s1, needs: s2}, {name: y, needs: s1}]\n", `c.yaml:2: "s1" may mean service/s1 or s1/host/1; write one of them`},

	// Poll, notify, web.
	{devs + "poll: {states: 15}\n", `c.yaml:2: states is "15"; write the unit too: 15s or 15m`},
	{devs + "poll: {states: 10ms}\n", `c.yaml:2: states is 10ms, too short; write 1s or more`},
	{devs + "poll: {inventory: 3d}\n", `c.yaml:2: inventory is 3d, too long; write 24h or less`},
	{devs + "poll: {states: 10m, inventory: 1m}\n", `c.yaml:2: the inventory is to be read every 1m, the states only every 10m; make inventory the longer of the two`},
	{devs + "poll: {timeout: 3m}\n", `c.yaml:2: one request may take 3m (timeout), but a whole poll only 2m (limit); make limit the longer of the two`},
	{devs + "poll: {kinds: {server: {states: 1m}}}\n", `c.yaml:2: "server" is no kind of device; write host, switch, router, pdu, ups, ats, enclosure, generator or cooling`},
	{devs + "notify: [{name: a, kind: email}]\n", `c.yaml:2: "email" is no kind of outlet; write kind: pagerduty or webhook`},
	{devs + "notify: [{name: a, kind: pagerduty}]\n", `c.yaml:2: an entry of notify has no routing_key; write routing_key_file: FILE; it is the integration key of the PagerDuty service (Events API v2)`},
	{devs + "notify: [{name: a, kind: pagerduty, routing_key_file: pw, tls: {insecure: true}}]\n", `c.yaml:2: tls is for webhooks; PagerDuty's certificate is verified by the system's authorities; take it out`},
	{devs + "notify: [{name: a, kind: webhook, url: http://h, routing_key_file: pw}]\n", `c.yaml:2: an entry of notify has a routing_key, but a webhook has none; take it out`},
	{devs + "notify: [{name: a, kind: webhook}]\n", `c.yaml:2: an entry of notify has no url; write url: https://HOST/PATH, or url_file where it holds a secret`},
	{devs + "notify: [{name: a, kind: webhook, url: 'ftp://hunter2'}]\n", `c.yaml:2: the url of an entry of notify is no http or https address; write https://HOST[:PORT][/PATH]`},
	{devs + "notify: [{name: a, kind: webhook, url: http://h, min_severity: fatal}]\n", `c.yaml:2: "fatal" is no severity; write info, warning, error or critical`},
	{devs + "notify: [{name: a, kind: webhook, url: http://h}, {name: a, kind: webhook, url: http://i}]\n", `c.yaml:2: two entries of notify are called a: also at c.yaml:2; give one of them another name`},
	{devs + "web: {listen: 9620}\n", `c.yaml:2: listen is "9620", which has no port; write ADDRESS:PORT, as 127.0.0.1:9620`},
	{devs + "web: {listen: 'h:http'}\n", `c.yaml:2: listen is "h:http", which has no port from 0 to 65535; write ADDRESS:PORT, as 127.0.0.1:9620`},
	{devs + "web: {url: sparewatch.example}\n", `c.yaml:2: url is no address of a page; write https://HOST[:PORT][/PATH]`},
	{devs + "profiles: missing\n", `c.yaml:2: profiles missing: no such file or directory; put it there, or make it readable for the user that runs sparewatch`},
	{devs + "profiles: c.yaml\n", `c.yaml:2: profiles c.yaml is no folder; name the folder that it stands in`},
	{devs + "web: {tls_config: missing}\n", `c.yaml:2: tls_config missing: no such file or directory; put it there, or make it readable for the user that runs sparewatch`},
}

const devs = "devices: [{name: 's[1-3]', kind: host}, {name: pdu, url: snmp://p}]\n"

func TestEveryMistakeHasItsSentence(t *testing.T) {
	for _, c := range mistakes {
		_, got := load(t, c.text)
		if got != c.want {
			t.Errorf("%q\nsaid %s\nwant %s", c.text, got, c.want)
		}
		if strings.Contains(got, "hunter2") {
			t.Errorf("%q: the error shows a secret: %s", c.text, got)
		}
	}
}

func TestAllMistakesInOneGo(t *testing.T) {
	_, got := load(t, `site: ams1
credential: {bmc: {user: u}}
devices:
  - {name: a, urls: [snmp://10.0.0.300]}
  - {name: b, kind: host}
topology:
  cables: ["b/psu/1 <- feed-a"]
services:
  - {name: s, needs: c}
poll: {states: 5}
`)
	if n := len(strings.Split(got, "\n")); n != 5 {
		t.Errorf("%d mistakes:\n%s", n, got)
	}
}

func TestLoopsAreAllNamed(t *testing.T) {
	_, got := load(t, `
topology:
  feeds:
    - {id: a, fed_by: b}
    - {id: b, fed_by: a}
    - {id: c, fed_by: d}
    - {id: d, fed_by: c}
`)
	want := `c.yaml:4: these need one another in a loop: site/feed/a needs site/feed/b needs site/feed/a; take one of these links out
c.yaml:6: these need one another in a loop: site/feed/c needs site/feed/d needs site/feed/c; take one of these links out`
	if got != want {
		t.Errorf("said\n%s", got)
	}
}

func TestManyMistakesAreCut(t *testing.T) {
	var b strings.Builder
	b.WriteString("devices:\n")
	for range 1000 {
		b.WriteString("  - x\n")
	}
	_, got := load(t, b.String())
	lines := strings.Split(got, "\n")
	if len(lines) != maxMistakes+1 || lines[maxMistakes] != "c.yaml: ... and 800 mistakes more" {
		t.Errorf("%d lines, the last is %s", len(lines), lines[len(lines)-1])
	}
}

func TestFilesThatAreNone(t *testing.T) {
	dir := write(t, map[string]string{})
	for path, want := range map[string]string{
		filepath.Join(dir, "missing.yaml"): "missing.yaml: there is no such file or folder; give the configuration with --config FILE",
		dir:                                "the folder holds no .yaml file; put the configuration there as NAME.yaml",
		os.DevNull:                         os.DevNull + ": it is no file but a device; name a file",
	} {
		_, err := Load(path)
		if err == nil || !strings.HasSuffix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: said %v", path, err)
		}
	}
}

func TestLargeFilesAreRefusedInOneLine(t *testing.T) {
	big := filepath.Join(t.TempDir(), "big.yaml")
	if err := os.WriteFile(big, bytes.Repeat([]byte("- a: b\n"), 10<<20/7), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(big)
	if want := big + ": it is larger than 4 MB; use ranges such as srv-[101-112], or a folder of files"; err == nil || err.Error() != want {
		t.Errorf("said %v", err)
	}
}

func TestAliasBombsAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("x0: &x0 [a, a, a, a, a, a, a, a, a, a]\n")
	for i := 1; i < 12; i++ {
		fmt.Fprintf(&b, "x%d: &x%d [%s]\n", i, i, strings.Join(strings.Split(strings.Repeat(fmt.Sprintf("*x%d ", i-1), 10), " ")[:10], ", "))
	}
	b.WriteString("services:\n  - {name: s, needs: *x11}\n")
	_, got := load(t, b.String())
	if !strings.Contains(got, "the aliases stand for more than 2000000 values; write it out with fewer aliases (*name)") {
		t.Errorf("said %.300s", got)
	}
	if _, got := load(t, "services:\n  - {name: s, needs: &a [*a]}\n"); !strings.Contains(got, "needs nest more than 32 deep") && !strings.Contains(got, "not YAML") {
		t.Errorf("an alias in itself: said %s", got)
	}
}

func TestDeepNestingIsNoStackOverflow(t *testing.T) {
	for _, text := range []string{
		strings.Repeat("[", 200_000),
		"services: [{name: s, needs: " + strings.Repeat("[", 5000) + "a" + strings.Repeat("]", 5000) + "}]\n",
		"devices: ['" + strings.Repeat("[", 100_000) + "']\n",
	} {
		if _, got := load(t, text); got == "" || strings.Count(got, "\n") > 3 {
			t.Errorf("said %.300s", got)
		}
	}
}

func TestRangesAreBoundedTogether(t *testing.T) {
	var b strings.Builder
	b.WriteString("devices:\n")
	for i := range 300 {
		fmt.Fprintf(&b, "  - {name: 'a%d-[1-99999]', kind: host}\n", i)
	}
	_, got := load(t, b.String())
	if !strings.Contains(got, "the ranges up to here stand for more than 300000 names; write shorter ranges") {
		t.Errorf("said %.300s", got)
	}
}

// large is a configuration of so many servers, each with two cords, and a service for each ten.
func large(servers int, feed string) string {
	var b strings.Builder
	b.WriteString("credentials: {bmc: {user: u, password: hunter22}}\ntopology:\n  feeds: [feed-a, feed-b]\n  cables:\n")
	for i := range servers {
		fmt.Fprintf(&b, "    - srv-%d/psu/1 <- pdu-%d-a/outlet/%d\n    - srv-%d/psu/2 <- pdu-%d-b/outlet/%d\n", i, i/20, i%20, i, i/20, i%20)
	}
	for i := range servers / 20 {
		fmt.Fprintf(&b, "    - pdu-%d-a/inlet/1 <- %s-a\n    - pdu-%d-b/inlet/1 <- %s-b\n", i, feed, i, feed)
	}
	b.WriteString("devices:\n")
	for i := range servers {
		fmt.Fprintf(&b, "  - {name: srv-%d, urls: [\"redfish://10.%d.%d.%d\"], credentials: bmc}\n", i, i/62500, i/250%250, i%250)
	}
	for i := range servers / 20 {
		fmt.Fprintf(&b, "  - {name: pdu-%d-a, urls: [\"snmp://10.200.%d.%d\"]}\n  - {name: pdu-%d-b, urls: [\"snmp://10.201.%d.%d\"]}\n", i, i/250, i%250, i, i/250, i%250)
	}
	b.WriteString("services:\n")
	for i := range servers / 10 {
		fmt.Fprintf(&b, "  - {name: s%d, needs: {at_least: 2, of: [srv-%d, srv-%d, srv-%d]}}\n", i, i*10, i*10+1, i*10+2)
	}
	return b.String()
}

func TestALargeModelWithManyMistakesIsSaidSoon(t *testing.T) {
	_, got := load(t, strings.ReplaceAll(large(4000, "feed"), "- srv-", "- sry-"))
	if !strings.Contains(got, "mistakes more") || !strings.Contains(got, "did you mean srv-0?") {
		t.Errorf("said %.300s", got)
	}
}

func BenchmarkLoad10000Servers(b *testing.B) {
	dir := write(b, map[string]string{"c.yaml": large(10_000, "feed")})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := LoadWith(dir, Options{Getenv: getenv}); err != nil {
			b.Fatalf("%.300s", err)
		}
	}
}

// FuzzLoad: no text makes Load panic, hang, or hand on what is not checked; and no error shows a secret.
func FuzzLoad(f *testing.F) {
	for _, c := range mistakes {
		f.Add(c.text)
	}
	f.Add(rack)
	for _, name := range []string{"sparewatch", "minimal", "rack", "paths"} {
		if data, err := os.ReadFile("../../configs/" + name + ".yaml"); err == nil {
			f.Add(string(data))
		}
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(dir, "f.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := LoadWith(file, Options{Getenv: getenv})
		if err != nil {
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.HasPrefix(line, file) {
					t.Errorf("a mistake without its place: %q", line)
				}
			}
			return
		}
		for _, d := range c.Devices {
			if d.Name == "" || strings.ContainsAny(d.Name, "/ \n") || d.States <= 0 || d.Inventory < d.States {
				t.Errorf("an unchecked device: %+v", d)
			}
		}
	})
}

func FuzzExpand(f *testing.F) {
	f.Add("srv-[01-12]")
	f.Add("[a,b-[1-2]]")
	f.Add("redfish://[fd00::[1-2]]:443")
	f.Fuzz(func(t *testing.T, pattern string) {
		out, err := expand(pattern)
		if err == nil && (len(out) == 0 || len(out) > maxExpansion) {
			t.Errorf("%q stands for %d", pattern, len(out))
		}
	})
}
