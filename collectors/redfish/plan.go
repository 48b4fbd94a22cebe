package redfish

// role says what a resource is for: which of its links are followed, and how often it is read.
type role uint8
