package reconcile

// An address is where a proposal is read: the repository and the branch that is watched.
type address struct{ Repo, Branch string }

// title is what a proposal is called.
func (p Proposal) title() string { return p.Chain[len(p.Chain)-1].Subject() }

// section is what a proposal says to those who review it, in Markdown.
func (p Proposal) section(at address) string { return p.Chain[len(p.Chain)-1].Commit.Message }
