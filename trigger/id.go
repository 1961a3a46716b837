package trigger

// String is "Deployment team1/web, container app".
func (id ID) String() string {
	s := id.Kind + " " + id.Name
	if id.Namespace != "" {
		s = id.Kind + " " + id.Namespace + "/" + id.Name
	}
	if id.Container != "" {
		s += ", container " + id.Container
	}
	return s
}
