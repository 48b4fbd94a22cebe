package component

// LinkKind says how one component depends on another.
type LinkKind string

// The links' kinds. All but Neighbour run from provider to dependant.
const (
	Feeds     LinkKind = "feeds"
	Cools     LinkKind = "cools"
	Carries   LinkKind = "carries"
	Contains  LinkKind = "contains"
	Neighbour LinkKind = "neighbour" // no direction, no part of the dependency graph
)

// Link is an edge from provider to dependant.
type Link struct {
	From ID       `json:"from"`
	To   ID       `json:"to"`
	Kind LinkKind `json:"kind"`
}
