// Package inmem keeps everything in the memory of the process. It passes the same contract suites as the durable
// stores, so it is a truthful double in tests; nothing survives the process.
package inmem
