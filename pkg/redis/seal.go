package redis

import (
	"crypto/sha256"
	"crypto/subtle"
)

// sealBytes is the length of the seal before every value.
const sealBytes = sha256.Size

// seal binds a value to its key. It is no secret: it finds what was damaged, mixed up, or answered to somebody else's
// question, not a forger who can write to Redis.
func seal(key string, value []byte) []byte {
	digest := digestOf(key, value)
	return append(digest[:], value...)
}

// unseal returns the value, and false when it is not what was put under the key.
func unseal(key, sealed string) ([]byte, bool) {
	if len(sealed) < sealBytes {
		return nil, false
	}
	value := []byte(sealed[sealBytes:])
	digest := digestOf(key, value)
	return value, subtle.ConstantTimeCompare(digest[:], []byte(sealed[:sealBytes])) == 1
}

// digestOf needs no length before the key: keys of one kind have one length, and kinds begin differently.
func digestOf(key string, value []byte) [sealBytes]byte {
	h := sha256.New()
	_, _ = h.Write([]byte(key)) // a hash takes everything
	_, _ = h.Write(value)
	return [sealBytes]byte(h.Sum(nil))
}

// results of reading a sealed value.
func resultOf(sealed string, ok bool) string {
	switch {
	case ok:
		return "hit"
	case sealed == "":
		return "miss"
	}
	return "lie"
}
