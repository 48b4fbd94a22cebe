package ipmi

import "regexp"

// A digital discrete sensor (event type 03h) says "asserted" or "deasserted"; what that means is the vendor's choice
// and stands only in the sensor's name.
type meaning uint8

const (
	meansUnknown meaning = iota
	meansBad             // asserted is a fault
	meansGood            // asserted is well
	meansInput           // asserted: input is there
	meansPresent         // asserted: the part is there
)

var digitalNames = []struct {
	name    *regexp.Regexp
	meaning meaning
	proof   string
}{
	{regexp.MustCompile(`(?i)AC[ _]*OK|input[ _]*OK|in[ _]*OK`), meansInput, "Cisco UCS C-Series: PSU1_AC_OK asserted while the supply is well (thomas-krenn/check_ipmi_sensor_v3 issue 22)"},
	{regexp.MustCompile(`(?i)fail|fault|lost|error|trip`), meansBad, "Intel S2600KP: PS1 Fan1 Fail; Dell R730: PS1 PG Fail deasserted while the supply is well"},
	{regexp.MustCompile(`(?i)pwr[ _]*good|power[ _]*good|DC[ _]*OK|PG$|[ _]OK$`), meansGood, "Cisco UCS C-Series: PSU1_DC_OK"},
	{regexp.MustCompile(`(?i)present|presence|installed|prsnt`), meansPresent, "Cisco UCS C-Series: PSU1_PRESENT"},
}

func assertedMeans(name string) meaning {
	for _, d := range digitalNames {
		if d.name.MatchString(name) {
			return d.meaning
		}
	}
	return meansUnknown
}

// vendors names manufacturer ids (IANA enterprise numbers, Get Device ID bytes 7 to 9) where the FRU names none.
var vendors = map[uint32]string{
	2: "IBM", 11: "HP", 42: "Sun", 343: "Intel", 674: "Dell", 5771: "Cisco", 7154: "openipmi.org", 7244: "Quanta", 10368: "Fujitsu",
	10876: "Supermicro", 15370: "Giga-Byte", 2011: "Huawei", 19046: "Lenovo", 37945: "Inspur", 47196: "HPE", 49622: "Wiwynn", 42817: "IBM (OpenPOWER)",
}
