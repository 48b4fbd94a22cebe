// Package spelling finds the known word that somebody may have meant.
package spelling

import "strings"

// Nearest is the known word that differs from word by at most a third of its letters (one in three, two in six), or "".
func Nearest(word string, known []string) string {
	lower := strings.ToLower(word)
	best, bestAt := "", 0
	for _, k := range known {
		kl := strings.ToLower(k)
		most := max(1, min(len(lower), len(kl))/3)
		if most > 3 {
			most = 3
		}
		d := distance(lower, kl, most)
		if strings.ReplaceAll(lower, "-", "_") == strings.ReplaceAll(kl, "-", "_") {
			d = 0
		}
		if d <= most && (best == "" || d < bestAt) {
			best, bestAt = k, d
		}
	}
	return best
}

// distance is the edit distance of two words (with neighbours swapped as one edit), or most+1 where it is greater.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	before, last, this := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		this[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			this[j] = min(last[j]+1, this[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				this[j] = min(this[j], before[j-2]+1)
			}
		}
		before, last, this = last, this, before
	}
	return last[len(b)]
}
