package recording

import (
	"os"
	"path/filepath"
)

// Dir is the folder of recordings of real devices: SPAREWATCH_RECORDINGS, else shared/recordings beside the folder of
// the nearest go.mod at or above the working directory. ok is false where there is none; tests then skip.
func Dir() (dir string, ok bool) {
	if dir = os.Getenv("SPAREWATCH_RECORDINGS"); dir != "" {
		return dir, isDir(dir)
	}
	at, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(at, "go.mod")); err == nil {
			dir = filepath.Join(filepath.Dir(at), "shared", "recordings")
			return dir, isDir(dir)
		}
		up := filepath.Dir(at)
		if up == at {
			return "", false
		}
		at = up
	}
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// Load reads the recording in a file.
func Load(file string) (*Recording, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Read(file, f)
}
