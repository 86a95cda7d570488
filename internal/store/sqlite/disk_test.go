package sqlite

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// disk stands between SQLite and the files of one directory. It records what
// SQLite asks of them, so that the files can be made as a power cut leaves
// them, and can fail instead of doing it.
type disk struct {
	dir string

	mu    sync.Mutex
	ops   []diskOp
	fault func(kind opKind, file string) int32 // the result code, 0: none
}

// diskOp is one thing that was done to a file.
type diskOp struct {
	kind opKind
	file string // its name in the directory
	at   int64  // where it was written, or to which size it was cut
	data []byte
	hard bool // a removal that the directory was synced after
}

type opKind int

const (
	opOpen opKind = iota
	opWrite
	opTruncate
	opSync
	opSyncFailed
	opRemove
)

// newDisk puts a disk in front of the files of dir. A store uses it when its
// option vfs says so.
func newDisk(t *testing.T, dir string) *disk {
	t.Helper()
	shim.once.Do(registerShim)
	d := &disk{dir: dir}
	shim.mu.Lock()
	shim.disks[dir] = d
	shim.mu.Unlock()
	t.Cleanup(func() {
		shim.mu.Lock()
		delete(shim.disks, dir)
		shim.mu.Unlock()
	})
	return d
}

// fail makes the disk fail as f says; nil: no more.
func (d *disk) fail(f func(kind opKind, file string) int32) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = f
}

// position is the number of things done so far.
func (d *disk) position() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.ops)
}

// do does something to a file and records it, or fails.
func (d *disk) do(op diskOp, really func() int32) int32 {
	if d == nil {
		return really()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault != nil {
		if rc := d.fault(op.kind, op.file); rc != 0 {
			if op.kind == opSync {
				d.ops = append(d.ops, diskOp{kind: opSyncFailed, file: op.file})
			}
			return rc
		}
	}
	rc := really()
	if rc == sqlite3.SQLITE_OK {
		d.ops = append(d.ops, op)
	}
	return rc
}

// platter is a file as a power cut would find it.
type platter struct {
	named   bool     // its name is on the disk for sure
	synced  []byte   // what is on the disk for sure
	pending []diskOp // what may be
}

// sector is what a disk writes whole or not at all.
const sector = 512

// replay holds the files after some operations.
type replay map[string]*platter

func (r replay) apply(op diskOp) {
	p := r[op.file]
	if p == nil {
		p = &platter{}
		r[op.file] = p
	}
	switch op.kind {
	case opOpen:
	case opWrite, opTruncate:
		p.pending = append(p.pending, op)
	case opSync:
		for _, done := range p.pending {
			p.synced = done.onto(p.synced, nil)
		}
		p.pending = nil
		if !p.named { // then SQLite syncs the directory as well (unixSync)
			r.syncNames()
		}
	case opSyncFailed: // Linux drops what it could not write, and tells once
		p.pending = slices.DeleteFunc(p.pending, func(op diskOp) bool { return op.kind == opWrite })
	case opRemove:
		if op.hard || !p.named {
			delete(r, op.file)
			return
		}
		p.pending = append(p.pending, op)
	}
}

// syncNames settles which files there are.
func (r replay) syncNames() {
	for name, p := range r {
		p.named = true
		if slices.ContainsFunc(p.pending, func(op diskOp) bool { return op.kind == opRemove }) {
			delete(r, name)
		}
	}
}

// onto returns content after the operation; of a write only the sectors that
// keep says reached the disk, nil: all.
func (op diskOp) onto(content []byte, keep func() bool) []byte {
	switch op.kind {
	case opTruncate:
		if int64(len(content)) > op.at {
			return content[:op.at:op.at]
		}
	case opWrite:
		for from := 0; from < len(op.data); {
			at := int(op.at) + from
			to := min(len(op.data), from+sector-at%sector)
			if keep == nil || keep() {
				if end := at + to - from; end > len(content) {
					content = append(content, make([]byte, end-len(content))...)
				}
				copy(content[at:], op.data[from:to])
			}
			from = to
		}
	case opOpen, opSync, opSyncFailed, opRemove:
	}
	return content
}

// cut returns the files as a power cut now may leave them: of what was not
// synced nothing, everything, or any part in any order is on the disk.
func (r replay) cut(rng *rand.Rand) map[string][]byte {
	files := map[string][]byte{}
	mode := rng.IntN(3)
	for name, p := range r {
		if !p.named && mode == 0 {
			continue
		}
		content := bytes.Clone(p.synced)
		pending := append([]diskOp(nil), p.pending...)
		keep := func() bool { return mode == 1 || mode == 2 && rng.IntN(2) == 0 }
		if mode == 2 {
			rng.Shuffle(len(pending), func(i, j int) { pending[i], pending[j] = pending[j], pending[i] })
		}
		gone := false
		for _, op := range pending {
			switch {
			case op.kind == opWrite:
				content = op.onto(content, keep)
			case keep():
				gone = gone || op.kind == opRemove
				content = op.onto(content, nil)
			}
		}
		if !gone {
			files[name] = content
		}
	}
	return files
}

// shim is a file system of SQLite: the default one with some methods replaced.
var shim = struct {
	once sync.Once
	real uintptr

	mu      sync.Mutex
	disks   map[string]*disk
	files   map[uintptr]shimFile // by sqlite3_file
	methods map[uintptr]uintptr  // the real table of methods to ours
}{disks: map[string]*disk{}, files: map[uintptr]shimFile{}, methods: map[uintptr]uintptr{}}

type shimFile struct {
	disk *disk
	name string
	real *sqlite3.Tsqlite3_io_methods
}

const shimName = "modicum-test"

func registerShim() {
	tls := libc.NewTLS()
	shim.real = sqlite3.Xsqlite3_vfs_find(tls, 0)
	ours := clone[sqlite3.Tsqlite3_vfs](tls, shim.real)
	name, err := libc.CString(shimName)
	if err != nil {
		panic(err)
	}
	v := at[sqlite3.Tsqlite3_vfs](ours)
	v.FzName, v.FxOpen, v.FxDelete = name, pointer(shimOpen), pointer(shimDelete)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, ours, 0); rc != sqlite3.SQLITE_OK {
		panic(rc)
	}
}

func shimOpen(tls *libc.TLS, _, name, file uintptr, flags int32, out uintptr) int32 {
	open := function[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](at[sqlite3.Tsqlite3_vfs](shim.real).FxOpen)
	d, base := diskOf(name)
	return d.do(diskOp{kind: opOpen, file: base}, func() int32 {
		rc := open(tls, shim.real, name, file, flags, out)
		methods := &at[sqlite3.Tsqlite3_file](file).FpMethods
		if rc != sqlite3.SQLITE_OK || *methods == 0 {
			return rc
		}
		shim.mu.Lock()
		defer shim.mu.Unlock()
		shim.files[file] = shimFile{d, base, at[sqlite3.Tsqlite3_io_methods](*methods)}
		if shim.methods[*methods] == 0 {
			ours := clone[sqlite3.Tsqlite3_io_methods](tls, *methods)
			m := at[sqlite3.Tsqlite3_io_methods](ours)
			m.FxWrite, m.FxTruncate, m.FxSync, m.FxClose = pointer(shimWrite), pointer(shimTruncate), pointer(shimSync), pointer(shimClose)
			shim.methods[*methods] = ours
		}
		*methods = shim.methods[*methods]
		return rc
	})
}

func shimDelete(tls *libc.TLS, _, name uintptr, sync int32) int32 {
	remove := function[func(*libc.TLS, uintptr, uintptr, int32) int32](at[sqlite3.Tsqlite3_vfs](shim.real).FxDelete)
	d, base := diskOf(name)
	return d.do(diskOp{kind: opRemove, file: base, hard: sync != 0}, func() int32 { return remove(tls, shim.real, name, sync) })
}

func shimWrite(tls *libc.TLS, file, buffer uintptr, n int32, offset int64) int32 {
	f := fileOf(file)
	write := function[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.real.FxWrite)
	data := bytes.Clone(unsafe.Slice(at[byte](buffer), n)) //nolint:gosec // memory of SQLite
	return f.disk.do(diskOp{kind: opWrite, file: f.name, at: offset, data: data}, func() int32 {
		return write(tls, file, buffer, n, offset)
	})
}

func shimTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := fileOf(file)
	truncate := function[func(*libc.TLS, uintptr, int64) int32](f.real.FxTruncate)
	return f.disk.do(diskOp{kind: opTruncate, file: f.name, at: size}, func() int32 { return truncate(tls, file, size) })
}

func shimSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := fileOf(file)
	sync := function[func(*libc.TLS, uintptr, int32) int32](f.real.FxSync)
	return f.disk.do(diskOp{kind: opSync, file: f.name}, func() int32 { return sync(tls, file, flags) })
}

func shimClose(tls *libc.TLS, file uintptr) int32 {
	f := fileOf(file)
	shim.mu.Lock()
	delete(shim.files, file)
	shim.mu.Unlock()
	return function[func(*libc.TLS, uintptr) int32](f.real.FxClose)(tls, file)
}

func diskOf(name uintptr) (*disk, string) {
	path := libc.GoString(name)
	shim.mu.Lock()
	defer shim.mu.Unlock()
	return shim.disks[filepath.Dir(path)], filepath.Base(path)
}

func fileOf(file uintptr) shimFile {
	shim.mu.Lock()
	defer shim.mu.Unlock()
	return shim.files[file]
}

// at is what stands at an address of SQLite's memory, which the collector
// knows nothing of.
func at[T any](address uintptr) *T {
	return (*T)(*(*unsafe.Pointer)(unsafe.Pointer(&address))) //nolint:gosec // see above
}

// function is the Go function that SQLite calls by an address.
func function[F any](address uintptr) F {
	return *(*F)(unsafe.Pointer(&address)) //nolint:gosec // a func is the address of its code's address
}

// pointer is the address by which SQLite calls a top-level function.
func pointer[F any](f F) uintptr {
	return *(*uintptr)(unsafe.Pointer(&f)) //nolint:gosec // a func is the address of its code's address
}

func clone[T any](tls *libc.TLS, address uintptr) uintptr {
	var zero T
	p := libc.Xcalloc(tls, 1, libc.Tsize_t(unsafe.Sizeof(zero)))
	*at[T](p) = *at[T](address)
	return p
}

// write makes files in a directory.
func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
