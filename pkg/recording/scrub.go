package recording

import (
	"cmp"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Scrubber puts pseudonyms in the place of what is private in one recording: names of machines, people and places,
// serial numbers, addresses (IPv4, IPv6, MAC), UUIDs, asset tags, contacts, secrets.
//
// Equal things keep equal pseudonyms, wherever they stand (a serial number that is also part of a link), and unequal
// ones unequal; a pseudonym has the form of what it stands for: letters for letters, digits for digits, the rest as it
// was. Vendors, models, firmware, states, numbers and OIDs of values stay. It follows from a random key that is made for one
// Scrubber and kept nowhere, so that two captures of one device have nothing in common and nobody can turn one back.
//
// What is private is told by the property or column that holds it, by its form, and, for text that nobody knows, by its
// words: those in words.txt are no secret. In doubt a thing is private: a model that reads like a serial number may be
// lost where it stands in a column that is not known here.
//
// Use it for one recording, from one goroutine: Also, then SNMP or Redfish once.
type Scrubber struct {
	key   [32]byte
	pseud map[string]string // canonical word -> canonical pseudonym
	taken map[string]bool   // pseudonyms given out
	known map[string]bool   // canonical words that are private wherever they stand
	safe  map[string]bool   // canonical words that are not, learned from models and descriptions
	names map[string]bool   // known words that are only part of a name: it may be the model's
	whole []string          // private values of more than one word, as they were written
	addrs map[[4]byte][4]byte
	nets  map[[3]byte][3]byte
	seen  map[[3]byte]bool   // networks that the recording holds
	hosts map[[4]byte]bool   // addresses that it holds
	bytes map[string]string  // binary private values (MAC addresses) and what stands for them
	token map[string]string  // cache of learnedWord's answers
	keys  map[string]privacy // cache of keyPrivacy's answers
	// taught are the columns that the caller knows, by OID.
	taught map[string]privacy

	wholes   *regexp.Regexp
	wholesOf int
	all      []string // known words, the longest first
	long     []string // those that are looked for inside of others
}

// NewScrubber makes a Scrubber with a key of its own.
func NewScrubber() *Scrubber {
	var key [32]byte
	_, _ = rand.Read(key[:]) // it never fails: it ends the program
	return newScrubber(key)
}

func newScrubber(key [32]byte) *Scrubber {
	return &Scrubber{key: key, pseud: map[string]string{}, taken: map[string]bool{}, known: map[string]bool{}, safe: map[string]bool{}, names: map[string]bool{},
		addrs: map[[4]byte][4]byte{}, nets: map[[3]byte][3]byte{}, seen: map[[3]byte]bool{}, hosts: map[[4]byte]bool{}, bytes: map[string]string{}, token: map[string]string{}, keys: map[string]privacy{}, taught: map[string]privacy{}}
}

// Also names what is known to be private from elsewhere: the host of the URL, a user, a password, a community.
func (s *Scrubber) Also(secrets ...string) {
	for _, v := range secrets {
		s.learn(v)
	}
}

// Model names columns and scalars of an SNMP agent that hold a maker, a model, a version or a state: they stay.
func (s *Scrubber) Model(columns ...OID) { s.teach(model, columns) }

// Private names columns and scalars that hold a serial number, a name, or another thing of one machine.
func (s *Scrubber) Private(columns ...OID) { s.teach(private, columns) }

func (s *Scrubber) teach(p privacy, columns []OID) {
	for _, c := range columns {
		// What is private for one profile and a model for another is private.
		s.taught[c.String()] = max(p, s.taught[c.String()])
	}
}

//go:embed words.txt
var wordList string

// vocabulary are the words that are never private: those of the trade, of vendors, and of the language around them. Most
// were found in the recordings of three vendors or more.
var vocabulary = func() map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(wordList) {
		m[w] = true
	}
	return m
}()

// dummies are values that stand for nothing; they stay, because a reader must be able to tell them from real ones.
var dummies = map[string]bool{"": true, "n/a": true, "na": true, "none": true, "null": true, "unknown": true, "not available": true,
	"not specified": true, "not applicable": true, "notapplicable": true, "not present": true, "default string": true,
	"to be filled by o.e.m.": true, "system serial number": true, "chassis serial number": true, "base board serial number": true,
	"0123456789": true, "123456789": true, "unspecified": true, "undefined": true, "empty": true, "no asset tag": true,
	"<private>": true, "localhost": true, "public": true, "location": true, "contact": true, "name": true}

func dummy(v string) bool {
	v = strings.ToLower(strings.TrimSpace(v))
	if dummies[v] {
		return true
	}
	bare := strings.Trim(v, "-:. ")
	return bare == "" || strings.Trim(strings.Map(dropPunctuation, bare), bare[:1]) == "" // 0000-0000, FF:FF, xxxx
}

func dropPunctuation(r rune) rune {
	if r == '-' || r == ':' || r == '.' || r == ' ' {
		return -1
	}
	return r
}

// Words.

var wordRun = regexp.MustCompile(`[\p{L}\p{N}]+`)

// pseudonym stands for a whole private value: each of its words is replaced. Forms that have rules of their own
// (addresses, UUIDs) are replaced by theirs.
func (s *Scrubber) pseudonym(v string) string {
	if dummy(v) {
		return v
	}
	if out, ok := s.form(v); ok {
		return out
	}
	return s.forms(v, func(rest string) string { return wordRun.ReplaceAllStringFunc(rest, s.word) })
}

// learnName remembers the name of a machine or of a place as private wherever it stands, but for words that turn out to be a
// maker's or a model's: many a device is called after itself.
func (s *Scrubber) learnName(v string) { s.remember(v, true) }

// settle ends the learning: a name's words that are safe are no longer known.
func (s *Scrubber) settle() {
	for w, only := range s.names {
		if only && s.safe[w] {
			delete(s.known, w)
		}
	}
}

// learn remembers a value as private wherever it stands.
func (s *Scrubber) learn(v string) { s.remember(v, false) }

func (s *Scrubber) remember(v string, name bool) {
	v = strings.TrimSpace(v)
	if dummy(v) || len(v) > 4096 {
		return
	}
	if _, ok := s.form(v); ok {
		return // replaced by its form everywhere
	}
	words := wordRun.FindAllString(v, -1)
	if len(v) >= 6 && utf8.ValidString(v) && (len(words) != 1 || len(words[0]) != len(v)) {
		s.whole = append(s.whole, v)
	}
	for _, w := range words {
		if c := strings.ToLower(w); telling(c) {
			s.names[c] = name && (s.names[c] || !s.known[c])
			s.known[c] = true
		}
	}
}

// telling reports whether a word alone gives something away: four characters or more, and no word of the vocabulary.
// A number needs five digits.
func telling(c string) bool {
	return len(c) >= 4 && !vocabulary[c] && (len(c) >= 5 || strings.Trim(c, "0123456789") != "")
}

// word is the pseudonym of one word. The same word in another case has the same pseudonym in that case.
func (s *Scrubber) word(w string) string {
	c := strings.ToLower(w)
	if strings.Trim(c, "0") == "" {
		return w
	}
	p, ok := s.pseud[c]
	if !ok {
		p = s.invent("word", c, anyLetter)
		s.pseud[c] = p
	}
	return recase(w, p)
}

// recase gives p the letters' cases of w; both have the same number of runes.
func recase(w, p string) string {
	out, i := []rune(p), 0
	for _, r := range w {
		if i < len(out) && unicode.IsUpper(r) {
			out[i] = unicode.ToUpper(out[i])
		}
		i++
	}
	return string(out)
}

func anyLetter(n uint16) rune { return rune('a' + n%26) }
func hexLetter(n uint16) rune { return rune('a' + n%6) }

// invent makes a pseudonym of the canonical word's form that isn't in use, isn't the word itself, and, where there is
// room, is no other private word either. There are few words of one or two letters: when they are used up, two words
// share one.
func (s *Scrubber) invent(class, c string, letter func(uint16) rune) string {
	most := uint32(2000)
	switch n := utf8.RuneCountInString(c); {
	case n <= 1:
		most = 60
	case n == 2:
		most = 600
	}
	for try := uint32(0); ; try++ {
		p := s.draw(class, c, try, letter)
		fresh := p != c && !s.taken[p]
		if fresh && (!s.known[p] && !vocabulary[p] || try > most/4) || try > most {
			s.taken[p] = true
			return p
		}
	}
}

// draw makes one candidate: a digit for a digit, a letter for a letter. A leading zero stays, and no other is made.
func (s *Scrubber) draw(class, c string, try uint32, letter func(uint16) rune) string {
	var b strings.Builder
	stream := s.stream(class, c, try)
	for i, r := range c {
		n := stream()
		switch {
		case unicode.IsDigit(r) && i == 0:
			if r == '0' {
				b.WriteRune('0')
				continue
			}
			b.WriteRune(rune('1' + n%9))
		case unicode.IsNumber(r):
			b.WriteRune(rune('0' + n%10))
		default:
			b.WriteRune(letter(n))
		}
	}
	return b.String()
}

// stream yields numbers that follow from the key and what they are for.
func (s *Scrubber) stream(class, c string, try uint32) func() uint16 {
	var block []byte
	counter := uint32(0)
	return func() uint16 {
		if len(block) < 2 {
			mac := hmac.New(sha256.New, s.key[:])
			mac.Write([]byte(class + "\x00" + c + "\x00"))
			mac.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, try), counter))
			counter++
			block = mac.Sum(nil)
		}
		n := binary.BigEndian.Uint16(block)
		block = block[2:]
		return n
	}
}

// Text that is not private as a whole.

// text replaces in a text what is private wherever it stands: what was learned, and what its form gives away. Without
// addresses four numbers with dots stay: they are a version there.
func (s *Scrubber) text(v string, addresses bool) string {
	return s.sift(v, addresses, s.learnedWord)
}

// guarded replaces, in a text of which nothing is known, every word that might give something away. Words of the
// vocabulary, learned models, short numbers and the like of "fan2", "12V" and "v6.5" stay.
func (s *Scrubber) guarded(v string) string {
	if dummy(v) {
		return v
	}
	return s.sift(v, true, func(w string) string {
		if c := strings.ToLower(w); !s.known[c] && s.harmless(w, c) {
			return w
		}
		return s.word(w)
	})
}

// sift goes through a text from the most telling form to the least, and gives each word that is left to word. What was
// replaced by one step is not looked at by the next.
func (s *Scrubber) sift(v string, addresses bool, word func(string) string) string {
	if len(v) < 3 {
		return v
	}
	words := func(v string) string { return wordRun.ReplaceAllStringFunc(v, word) }
	return replaceForm(v, s.wholeForm(), s.pseudonym, func(v string) string {
		return replaceForm(v, labelled, s.labelled, func(v string) string {
			if addresses {
				return s.forms(v, words)
			}
			return s.formsBut4(v, words)
		})
	})
}

// wholeForm matches the private values of several words. It is made once, when all are learned.
func (s *Scrubber) wholeForm() *regexp.Regexp {
	if s.wholes == nil || s.wholesOf != len(s.whole) {
		slices.SortFunc(s.whole, longestFirst)
		s.whole = slices.Compact(s.whole)
		quoted := make([]string, len(s.whole))
		for i, w := range s.whole {
			quoted[i] = regexp.QuoteMeta(w)
		}
		s.wholes, s.wholesOf = regexp.MustCompile(strings.Join(quoted, "|")), len(s.whole)
		if len(quoted) == 0 {
			s.wholes = nothing
		}
	}
	return s.wholes
}

var nothing = regexp.MustCompile(`[^\x00-\x{10FFFF}]`)

func longestFirst(a, b string) int {
	return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
}

// labelled are the serial numbers and their like that stand in a description behind their label.
var labelled = regexp.MustCompile(`(?i)(\b(?:SN|S/N|serial(?: ?(?:number|no\.?|num))?|asset ?tag|service ?tag|host ?name|chassis ?id)\s?[:=#]\s*)([\w.-]+)`)

func (s *Scrubber) labelled(v string) string {
	m := labelled.FindStringSubmatch(v)
	if vocabulary[strings.ToLower(m[2])] { // "SN:PDU Metered": a model behind the wrong label
		return v
	}
	return m[1] + s.pseudonym(m[2])
}

// learnedWord replaces a word that was learned, or of which one that was learned is a part.
func (s *Scrubber) learnedWord(w string) string {
	c := strings.ToLower(w)
	switch {
	case s.known[c]:
		return s.word(w)
	case len(c) <= 6 || vocabulary[c]:
		return w
	}
	out, ok := s.token[c]
	if !ok {
		out = c
		for _, k := range s.longWords() {
			if strings.Contains(out, k) {
				out = strings.ReplaceAll(out, k, s.word(k))
				break
			}
		}
		s.token[c] = out
	}
	return recase(w, out)
}

// allWords are the learned words, the longest first.
func (s *Scrubber) allWords() []string {
	if len(s.all) != len(s.known) {
		s.all, s.long = slices.SortedFunc(maps.Keys(s.known), longestFirst), nil
		for _, k := range s.all {
			if len(k) >= 6 && strings.Trim(k, "0123456789") != "" {
				s.long = append(s.long, k)
			}
		}
	}
	return s.all
}

// longWords are the learned words that are looked for inside of others, the longest first.
func (s *Scrubber) longWords() []string {
	s.allWords()
	return s.long
}

var (
	partWord = regexp.MustCompile(`^([a-z]*)(\d{0,4})([a-z]{0,3})$`) // fan2, l1, 12v, ps1a, 3000va
	camel    = regexp.MustCompile(`[A-Z]?[a-z]+|[A-Z]+|[0-9]+`)
	shouted  = regexp.MustCompile(`^[A-Z]+[A-Z0-9]*$`)
)

func (s *Scrubber) harmless(w, c string) bool {
	if vocabulary[c] || s.safe[c] || len(c) <= 2 {
		return true
	}
	digits := strings.Count(strings.Map(onlyDigits, c), "0")
	if digits == len(c) {
		return digits <= 6 // readings, dates, numbers of parts
	}
	if m := partWord.FindStringSubmatch(c); m != nil && digits > 0 && (len(m[1]) <= 1 || vocabulary[m[1]]) {
		return true
	}
	// notSupported, PowerSupplyBay: all of its parts are words.
	if digits == 0 {
		parts := camel.FindAllString(w, -1)
		for _, p := range parts {
			if p = strings.ToLower(p); !vocabulary[p] && !s.safe[p] && len(p) > 2 {
				return false
			}
		}
		return len(parts) > 1
	}
	// AP8853, SMX3000: what most models look like, and few serial numbers.
	return shouted.MatchString(w) && (digits == 3 || digits == 4) && len(w) < 9
}

func onlyDigits(r rune) rune {
	if r >= '0' && r <= '9' {
		return '0'
	}
	return -1
}

// trust learns the words of a model or a description as safe.
func (s *Scrubber) trust(v string) {
	v = labelled.ReplaceAllString(v, "$1")
	for _, w := range wordRun.FindAllString(v, -1) {
		if c := strings.ToLower(w); len(c) > 2 && len(c) < 40 {
			s.safe[c] = true
		}
	}
}
