// Package scenario tells stories of what breaks and what the engine says of it, and checks them.
//
// A story is a text file in testdata. Lines that begin with white space are steps, everything else is prose for the
// reader. The steps:
//
//	site ams1                                     the model, first
//	device srv-[1-3] pdu-a                        what is polled
//	cable srv-1/psu/1 <- pdu-a/outlet/1           A <- B: B feeds A; also "carries", "contains", "cools", "neighbour" in the place of "<-"
//	group ID kind psu members A, B needed 1 designed 2 carries C
//	service payments tier 0 needs 2 of srv-1, srv-2, srv-3
//	claim srv-1 psu full needed 1 designed 2 of psu/1, psu/2 carries volume/1
//	link srv-1 controller/1 carries drive/1       what a device says of its inside
//	target srv-1@ipmi                             one more way to a device; poll srv-1@ipmi: ... is its word
//	hostname sw-1 core1.example.net               what a device calls itself
//	serial srv-1 ABC123 | uuid srv-1 UUID         what a target says that the machine is
//	work ID from +30h to +32h lead 24h "note"     work is announced
//	rule component-failed hold 5m severity info   a rule is adjusted, before the start
//	start [offline]                               the engine starts; offline it judges the model alone
//	+15s                                          time goes by, second by second; the first poll is at 12:00:00
//	poll srv-1: psu/1 ok, psu/2 failed "why"      what changed since its last poll, and the poll itself
//	poll srv-[1-3]                                polls without a change
//	poll srv-1: port/1 ok packets+=1000           a reading that grows by so much, with each poll that says so
//	repeat 15: +4m; poll srv-1                    steps, so many times
//	silent srv-1                                  a poll without an answer
//	clock -1h                                     the clock is set back, before a restart
//	restart                                       only what is kept over a restart is kept
//	expect group ID state [spares N] [worst STATE N] [needed N of M] [basis B] [unverified A, B]
//	expect service NAME state [spares N] [power N] ...
//	expect finding KEY [severity] [pages|quiet] [under KEY] ["words" ...]
//	expect no finding KEY
//	expect neighbours A B, C D                    exactly these ports hear each other
//	expect cables A B heard, C D contradicted, E F unheard | nothing   exactly these are not as the model says
//	expect pages KEY, KEY | nothing               exactly these tell a person
//	expect asked A, B | nothing                   exactly these devices were asked for since the last poll or time step
//	gate A, B [strict]: 0 ["words" ...]
//	simulate A: service NAME state spares N
//
// On load:
//
//	thing feed-[a,b] rated 16A 230V 3ph derate 0.9 phase L1 draws 400W mtbf 1000h   facts that are declared
//	poll pdu-a: inlet/1 ok current@L1=5A power=900W           readings, in a part's words
//	expect load feed-b 109% without feed-a [trips] now 55%    after the single failure that loads it most
//	expect room pdu-a, pdu-b: 1200VA by feed-b                how much more may be installed
//	expect not-given "words"
//	overload A, B: feed-b trips, pdu-b/inlet/1 109%; down web what would carry too much, and whom that takes down
//	overcuts web: feed-a; feed-b + srv-1/psu/1                failures that the structure survives and the load does not
//
// A part's words: ok, impaired, failed, absent, unknown, gone (no longer listed), and no-input, predicted, standby,
// rebuilding, on-battery, bypass; "rated 750W", "draws 400W", "serial S", "enclosure S", "log WORD", "hears NAME", "at PORT"; a text in quotes is the device's own reason.
package scenario
