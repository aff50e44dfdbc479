package inbox

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// The log of SQLite: https://sqlite.org/fileformat2.html#the_write_ahead_log
const (
	logHeader   = 32
	frameHeader = 24
	logMagic    = 0x377f0682 // the lowest bit says which way round the checksums are reckoned
	largestPage = 64 << 10
)

// logReader follows the checksums of a log.
type logReader struct {
	order    binary.ByteOrder
	salt     uint64
	sum      [2]uint32
	page     int
	whole    int  // frames that SQLite will read, or could
	finished bool // the last of them ends a transaction
}

// unreadEnd says what of a log SQLite passes over in silence, empty for nothing: it reads up to where the checksums are wrong. That is
// where an engine was killed while it wrote, which had acknowledged nothing of it, or where the file was damaged or cut. A
// cut exactly behind a transaction cannot be seen. killed: the engine that had it last was, so that there is a log.
func unreadEnd(path string, killed bool) (string, error) {
	none := ""
	if killed {
		none = "it is not there, or empty, although the engine that had it did not stop by itself"
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	if err != nil {
		return "", fmt.Errorf("read the log of the inbox: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	head := make([]byte, logHeader)
	n, err := io.ReadFull(in, head)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return none, nil
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends within its header", nil
	case err != nil:
		return "", fmt.Errorf("read the log of the inbox: %w", err)
	}
	var r logReader
	if !r.begin(head) {
		return "its header is damaged", nil
	}
	return r.frames(in)
}

// begin reads the header, and reports whether it is whole.
func (r *logReader) begin(head []byte) bool {
	magic := binary.BigEndian.Uint32(head)
	r.order, r.page, r.finished = binary.LittleEndian, int(binary.BigEndian.Uint32(head[8:])), true
	if magic&1 == 1 {
		r.order = binary.BigEndian
	}
	r.salt = binary.BigEndian.Uint64(head[16:])
	r.add(head[:24])
	return magic&^1 == logMagic && r.page >= minPage && r.page <= largestPage && r.sums(head[24:])
}

// frames reads all frames. What is left of an earlier use of the file has another salt.
func (r *logReader) frames(in io.Reader) (string, error) {
	frame, broken := make([]byte, frameHeader+r.page), false
	for {
		n, err := io.ReadFull(in, frame)
		switch {
		case n == 0 && errors.Is(err, io.EOF):
			if !r.finished {
				return fmt.Sprintf("its last transaction is not whole, behind %d frames", r.whole), nil
			}
			return "", nil
		case errors.Is(err, io.ErrUnexpectedEOF):
			if broken {
				return "", nil
			}
			return fmt.Sprintf("it ends within a frame, behind %d whole ones", r.whole), nil
		case err != nil:
			return "", fmt.Errorf("read the log of the inbox: %w", err)
		}
		ours := binary.BigEndian.Uint64(frame[8:]) == r.salt
		before := r.sum
		r.add(frame[:8])
		r.add(frame[frameHeader:])
		switch whole := ours && r.sums(frame[16:]); {
		case broken && ours, !broken && ours && !whole:
			return fmt.Sprintf("it is damaged behind %d frames", r.whole), nil
		case !broken && whole:
			r.whole++
			r.finished = binary.BigEndian.Uint32(frame[4:]) != 0
		default:
			broken, r.sum = true, before
		}
	}
}

// add goes on with the checksum. The length of data is a multiple of eight.
func (r *logReader) add(data []byte) {
	for ; len(data) >= 8; data = data[8:] {
		r.sum[0] += r.order.Uint32(data) + r.sum[1]
		r.sum[1] += r.order.Uint32(data[4:]) + r.sum[0]
	}
}

// sums reports whether the checksum is what the file says.
func (r *logReader) sums(said []byte) bool {
	return binary.BigEndian.Uint32(said) == r.sum[0] && binary.BigEndian.Uint32(said[4:]) == r.sum[1]
}
