package reconcile

// A situation is all that decides what is done about one branch of proposals.
type situation struct {
	wanted bool // there is something to propose
	kept   bool // what is open stays as it is: part of it waits for its time, or cannot be told
	known  bool // what was made of earlier proposals is known, or nobody can know
	taken  bool // part of it stands in another that stays as it is
	room   bool // one more may be open
	forge  bool // proposals are opened at a forge, and it answers

	again bool // a person asks for what was declined

	branch bool // it is there
	unread bool // …and cannot be read
	ours   bool // …as towpath made it
	same   bool // …and holds what is wanted
	open   bool // a proposal is open
	alone  bool // …and has been so without its branch for a while
	fits   bool // …and says what is wanted
	told   bool // …or says that it is left alone
	ended  end  // what became of the newest that is not open
	stale  bool // …and the branch is where that one was
}

// An end is what became of a proposal.
type end string

const (
	noEnd     end = ""
	merged    end = "merged"
	closed    end = "closed"    // by a person: declined
	withdrawn end = "withdrawn" // by towpath
)

// A deed is what is done about a branch of proposals.
type deed string

const (
	stay     deed = ""         // nothing
	await    deed = "wait"     // nothing yet
	leave    deed = "leave"    // nothing: it is a person's
	refuse   deed = "refuse"   // nothing: the branch is in the way
	push     deed = "push"     // make the branch, and open or edit its proposal
	begin    deed = "open"     // open a proposal of the branch as it is
	edit     deed = "edit"     // say what it holds
	shut     deed = "shut"     // close one whose branch is gone, as some forges do by themselves
	freeze   deed = "freeze"   // say that it is left alone from now on
	withdraw deed = "withdraw" // close it with a word, and remove the branch
	remove   deed = "remove"   // remove the branch
)

// next decides what is done.
//
//	wanted  branch             proposal   becomes
//	-       cannot be read     -          nothing yet
//	yes     -                  -          pushed and opened; beyond the most that may be open: waits
//	yes     ours, as wanted    -          opened: somebody died in between, or there is no forge
//	yes     ours, otherwise    -          pushed and opened; without a forge nothing, where part of it waits or is unclear
//	yes     a person's         -          refused; where it was merged or declined as it is: pushed
//	yes     ours, as wanted    closed     nothing: it is declined, though it does not say any more what it was
//	yes     ours, as wanted    open       edited, where it does not say so yet
//	yes     ours, otherwise    open       pushed and edited
//	yes     a person's         open       told once, and left
//	no      ours               open       withdrawn; nothing, where part of it waits or is unclear
//	no      a person's         open       left
//	-       gone               open       closed, where the forge does not do so by itself
//	no      ours               -          removed; where a person closed it: left
//	no      a person's         merged     removed, if that is what was merged
//	no      a person's         -          left
func (s situation) next() deed {
	switch {
	case s.unread:
		return await
	case s.open && !s.branch && s.alone:
		return shut
	case s.open && !s.branch:
		return stay
	case s.open && !s.ours && !s.told:
		return freeze
	case s.open && !s.ours:
		return leave
	case s.open && s.kept:
		return stay
	case s.open && !s.wanted:
		return withdraw
	case s.open && !s.same && !s.known:
		return await
	case s.open && !s.same:
		return push
	case s.open && !s.fits:
		return edit
	case s.open:
		return stay
	}
	switch {
	case !s.known, s.taken:
		return await
	case s.wanted && s.branch && !s.ours && !s.stale:
		return refuse
	case s.branch && !s.forge && s.ours && (s.same || s.kept):
		return stay
	case s.wanted && s.branch && s.same && s.stale && s.ended == closed && !s.again:
		return leave
	case s.wanted && !s.room:
		return await
	case s.wanted && s.branch && s.same:
		return begin
	case s.wanted:
		return push
	case !s.branch || s.kept:
		return stay
	case s.ended == merged && (s.ours || s.stale):
		return remove
	case s.ours && s.ended != closed:
		return remove
	}
	return leave
}
