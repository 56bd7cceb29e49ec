package region

// MaxName is how long the name of a region or of an object may be, in bytes.
const MaxName = 200

// ValidName is the rule for the names of regions and of objects.
func ValidName(s string) bool {
	if len(s) < 1 || len(s) > MaxName || s == "." || s == ".." {
		return false
	}
	for i := range len(s) {
		if !nameByte(s[i]) {
			return false
		}
	}
	return true
}

func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == '-'
}

// HashName is 64-bit FNV-1a.
func HashName(name string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}
