// Package mrt reads MRT files: routing tables and updates that route collectors and routers write (RFC 6396, add-path
// RFC 8050). It opens nothing itself: it reads from an io.Reader, through gzip or bzip2 where the bytes say so.
package mrt
