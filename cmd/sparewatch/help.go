package main

// What --help says of each command beside its flags: examples to start from, and what the exit codes mean. A test parses
// every example. Kong formats the texts as go/doc does: indented lines stay as they are.

func (demoCmd) Help() string {
	return `Needs nothing and leaves nothing behind. Look at the page that it names while the script runs.

    sparewatch demo
    sparewatch demo --once --speed 10         the script alone, fast

Exit codes: 0 ended, 1 with --once: a fault was not seen, 2 could not start.`
}

func (inspectCmd) Help() string {
	return `Examples:

    sparewatch inspect snmp://10.0.9.1 --community-file community
    sparewatch inspect redfish://10.0.0.101 --user monitor --password-file pw
    sparewatch inspect ipmi://10.0.0.101 --user monitor --password-file pw
    sparewatch inspect --json snmp://10.0.8.1 | jq .groups

Exit codes: 0 all that is redundant has its spares, 1 something failed, has lost a spare or is unknown, 2 it does not answer.`
}

func (checkCmd) Help() string {
	return `Asks no device, unless --pin is given.

    sparewatch check --config /etc/sparewatch
    sparewatch check --config site.yaml --pin             the certificates of the BMCs
    sparewatch check --config new.yaml --against old.yaml

Exit codes: 0 fine, 1 a mistake, something that only looks redundant, or worse than OLD, 2 could not read it.`
}

func (captureCmd) Help() string {
	return `Examples:

    sparewatch capture snmp://10.0.9.1 -o pdu.snmprec --community-file community
    sparewatch capture redfish://10.0.0.101 -o bmc.json --user monitor --password-file pw

Exit codes: 0 recorded, 2 not.`
}

func (replayCmd) Help() string {
	return `Prints the URL to ask, and the command that asks it. Ctrl-C ends it.

    sparewatch replay pdu.snmprec
    sparewatch replay bmc.json --listen 127.0.0.1:8443`
}

func (runCmd) Help() string {
	return `Logs to standard error. The page, /metrics and the API are on http://127.0.0.1:9620 unless the configuration says otherwise.

    sparewatch run --config /etc/sparewatch
    kill -HUP PID                             takes in a changed configuration

Exit codes: 0 ended by a signal, 2 could not start, or could not go on.`
}

func (statusCmd) Help() string {
	return `Examples:

    sparewatch status
    sparewatch status --url http://monitor-1:9620 --all
    sparewatch status --json | jq '.services[] | {name, spares}'

Exit codes: 0 nothing is known to be wrong, 1 something is, 2 no daemon answers.`
}

func (simulateCmd) Help() string {
	return `Examples:

    sparewatch simulate feed-a
    sparewatch simulate pdu-r12-a srv-101     both at once
    sparewatch simulate feed-a --config new.yaml

Exit codes: 0 no service goes down, 1 one does, 2 no answer.`
}

func (gateCmd) Help() string {
	return `For whoever is about to pull a cord, and for scripts that do.

    sparewatch gate srv-101 && reboot-it srv-101
    sparewatch gate --strict pdu-r12-a
    sparewatch gate feed-a --config new.yaml

Exit codes: 0 safe, 1 a service would go down or something would trip, 2 no answer: too little is known, something would carry too much for long, or no daemon answers.`
}

func (cutsCmd) Help() string {
	return `A minimal cut set is what has to fail together to end a service, and no less.

    sparewatch cuts payments --order 2        single failures and pairs
    sparewatch cuts payments --config new.yaml
    sparewatch cuts --open-psa tree.xml --probability

Exit codes: 0 answered, 2 not.`
}

func (pathsCmd) Help() string {
	return `Examples:

    sparewatch paths bview.20260101.0000.gz --prefix 192.0.2.0/24
    sparewatch paths updates.20260101.gz --own 64500
    sparewatch paths bmp.pcap

Exit codes: 0 fine, 1 a way is lost or all of them share something, 2 could not read it.`
}

func (profileTestCmd) Help() string {
	return `Examples:

    sparewatch profile test profiles/acme.yaml --against pdu.snmprec

Exit codes: 0 nothing is unknown, 1 a mistake, no match, or something unknown, 2 could not read it.`
}

func (capacityCmd) Help() string {
	return `Examples:

    sparewatch capacity
    sparewatch capacity --order 2             all pairs of failures too
    sparewatch capacity --config new.yaml

Exit codes: 0 what is left can carry the load, 1 something would carry too much, 2 no answer.`
}
