// Package sqlite is the embedded store: one file in WAL mode, one writer and many readers, in pure Go. It implements
// memory.Store, outbox.Queue, budget.Ledger and reflection.Store on the same file, so that one transaction covers
// what belongs together.
package sqlite
