package telemetry

const (
	traceparentLength = 55 // 00-<32 hex>-<16 hex>-<2 hex>
	noTrace           = "00000000000000000000000000000000"
	noSpan            = "0000000000000000"
)

// ValidTraceparent reports whether s is a W3C trace context header this program can carry on: lower-case hex, a trace
// id and a span id that are not all zero, a version other than ff. A version above 00 may carry more behind its
// first 55 characters.
func ValidTraceparent(s string) bool {
	if len(s) < traceparentLength || len(s) > 512 || s[2] != '-' || s[35] != '-' || s[52] != '-' {
		return false
	}
	version, trace, span, flags := s[:2], s[3:35], s[36:52], s[53:55]
	switch {
	case !lowerHex(version + trace + span + flags):
		return false
	case version == "ff", trace == noTrace, span == noSpan:
		return false
	case len(s) == traceparentLength:
		return true
	}
	return version != "00" && s[55] == '-' && visible(s)
}

func traceID(traceparent string) string {
	if len(traceparent) < traceparentLength {
		return ""
	}
	return traceparent[3:35]
}

func lowerHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// ValidRequestID reports whether a caller's request id can be taken over into answers and logs: 1 to 128 characters
// of visible ASCII.
func ValidRequestID(s string) bool { return s != "" && len(s) <= 128 && visible(s) }

func visible(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
