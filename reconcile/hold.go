package reconcile

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/towpath/towpath/config"
	"github.com/towpath/towpath/gitstore"
	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/trigger"
)

// A Hold is a site that is left alone although it differs from the record.
type Hold struct {
	Change SiteChange
	Why    HoldReason
	By     gitstore.Rev // the commit that did it; empty where the history is TooLong
	About  gitstore.About
	URL    string    // of the proposal that was Declined
	Until  time.Time // of FlipFlop: when it may move again; zero: when the record says another image
}

// A HoldReason says why a site is left alone.
type HoldReason string

const (
	TakenBack HoldReason = "taken back"    // it was given this image, and somebody took it back
	LeftOut   HoldReason = "left out"      // one commit brought the record and moved others of the tag, but not this one
	FlipFlop  HoldReason = "flip-flop"     // it came to hold this image three times within a day
	TooLong   HoldReason = "too long"      // the history is too long, or cut off, to tell
	Declined  HoldReason = "declined"      // it was proposed, and people closed that, or merged it without this
	Changed   HoldReason = "changed since" // somebody changed it after its tag had come to this image
)

// A site that came to hold an image so often within so long is left alone for the rest of it.
const (
	flips      = 3
	flipPeriod = 24 * time.Hour
)

// seekDepth is how many commits are looked through for somebody who took back the record
// itself: what is asked for again comes back within an interval.
const seekDepth = 50

// Held are the holds of one pass.
type Held []Hold

// Without is what is left of the changes when those that are held are taken out.
func (h Held) Without(changes []SiteChange) []SiteChange {
	held := make(map[*Site]bool, len(h))
	for _, hold := range h {
		held[hold.Change.Site] = true
	}
	return slices.DeleteFunc(slices.Clone(changes), func(c SiteChange) bool { return held[c.Site] })
}

// whole holds all of an object that starts whole where one of its images is held.
func (h Held) whole(wanted []SiteChange) Held {
	units, has := map[unit]Hold{}, map[*Site]bool{}
	for _, hold := range h {
		s := hold.Change.Site
		if has[s] = true; s.Together != "" && !s.Written {
			units[unit{s.Path, s.Together}] = hold
		}
	}
	for _, c := range wanted {
		if hold, ok := units[unit{c.Site.Path, c.Site.Together}]; ok && !has[c.Site] {
			hold.Change = c
			h = append(h, hold)
		}
	}
	return h
}

// Holds finds the sites that are left alone, out of the log of the branch. It looks at
// first-parent commits, newest first:
//
//	the parent's record     the parent's site             the site is
//	the image               has it                        held: this commit took it back
//	the image               another than here, too        held: this commit changed it
//	the image               the same as here              looked for in the parent's parent
//	the image               not there yet                 free, unless a commit not long before
//	                                                      removed the same
//	another, or none        there, others came to         held: it was left out when a proposal
//	                        have the image right here     was merged into a single commit
//	another, or none        otherwise                     free, unless the record was taken back
//
// Who takes back the record as well, so that the image is younger than what is on record after it,
// breaks nothing: the same holds as if the record had stood. Whatever the record did, a site that came to hold the image three times within a day, while the record
// went to and fro, is held for the rest of it.
//
// What was found at one tip is remembered: from a later one only the commits since are
// looked at.
func Holds(ctx context.Context, snap gitstore.Snapshot, c *Catalog, wanted []SiteChange, m *Memory, now time.Time) (Held, error) {
	l := lookout{log: c.history(ctx), cat: c, now: now, known: m.verdicts.of(c), given: m.given, found: make(map[holdKey]verdict, len(wanted))}
	keys := make([]holdKey, len(wanted))
	for i, w := range wanted {
		keys[i] = keyOf(w)
	}
	if err := l.open(snap, wanted, keys); err != nil {
		return nil, err
	}
	if err := l.look(snap); err != nil {
		return nil, err
	}
	m.verdicts = verdicts{tip: snap.Rev(), config: c.Config, all: l.found}
	var held Held
	for i, w := range wanted {
		if v, ok := l.found[keys[i]]; ok && v.held {
			v.Change = w
			held = append(held, v.Hold)
		}
	}
	return held, nil
}

// holdKey names what a verdict is about: which site should have which image.
type holdKey struct {
	path    string
	id      trigger.ID
	follows imagestream.TagRef
	image   trigger.Image
	moved   bool // the record did not say it yet
}

func keyOf(c SiteChange) holdKey {
	image := c.Image
	if c.Site.Site.HoldsDigest(image, c.Site.style()) {
		image = trigger.Image{Digest: image.Digest} // another name of the same image is no news
	}
	return holdKey{c.Site.Path, c.Site.ID, c.Site.Follows, image, c.Moved}
}

// A verdict is what the log says of a site.
type verdict struct {
	Hold
	held  bool
	depth int // how many commits back it was found
}

// verdicts are those found at a tip of the branch.
type verdicts struct {
	tip    gitstore.Rev
	config *config.Repository
	all    map[holdKey]verdict
}

// of are the verdicts as far as they count under the catalog's config.
func (v verdicts) of(c *Catalog) verdicts {
	if v.config != c.Config {
		return verdicts{}
	}
	return v
}

// given is when this process gave an image to sites of a tag last. It is what shows a
// flip-flop where somebody takes back the record, too, and its history with it.
type given map[gift]time.Time

type gift struct {
	tag   imagestream.TagRef
	image trigger.Image
}

// gave notes what landed, and forgets what is too long ago to count.
func (m *Memory) gave(ws []Write, now time.Time) {
	if m.given == nil {
		m.given = given{}
	}
	maps.DeleteFunc(m.given, func(_ gift, at time.Time) bool { return now.Sub(at) >= flipPeriod })
	for _, w := range ws {
		for _, c := range w.Sites {
			m.given[gift{c.Site.Follows, c.Image}] = now
		}
	}
}

// A lookout walks the log for many suspects at once.
type lookout struct {
	log   *history
	cat   *Catalog
	now   time.Time
	known verdicts // of an earlier tip
	given given    // what this process gave
	found map[holdKey]verdict
	todo  []*suspect
	depth int // of the commit that was reached
}

// suspect is a site on its way back through the log.
type suspect struct {
	change SiteChange
	key    holdKey
	site   *Site // as the commit that was reached has it
	stream home  // of the record there
	asks   bool  // whether somebody took the image back: the record says it
	seeks  bool  // whether the record was taken back: it says another image
	counts bool  // how often the site came to hold the image

	away    time.Time   // since when the record says the other image
	retold  bool        // the site followed another tag before
	changed *Hold       // the newest change of somebody while the record said the image
	born    int         // how many commits back the record came to say the image
	gone    int         // commits in a row, up to the one that was reached, in which the site was not there
	has     bool        // the site has the image in the commit that was reached
	long    int         // commits in a row that are too old to count
	gives   []time.Time // when it came to hold it, newest first
	lost    verdict     // the newest commit in which it lost it
}

// open makes suspects of the sites about which nothing is known yet.
func (l *lookout) open(snap gitstore.Snapshot, wanted []SiteChange, keys []holdKey) error {
	recent := map[imagestream.TagRef]bool{}
	for i, w := range wanted {
		key := keys[i]
		if v, ok := l.known.all[key]; ok && l.known.tip == snap.Rev() && (v.Until.IsZero() || l.now.Before(v.Until)) {
			l.found[key] = v
			continue
		}
		tag := w.Site.Follows
		if _, ok := recent[tag]; !ok && (w.Moved || l.now.Sub(w.Since) < flipPeriod) {
			again, err := l.wasBefore(snap, w)
			if err != nil {
				return err
			}
			recent[tag] = again || l.now.Sub(l.given[gift{tag, w.Image}]) < flipPeriod
		}
		stream := l.cat.Stream(tag.Stream)
		s := &suspect{change: w, key: key, site: w.Site, stream: l.log.home(stream), asks: !w.Moved, counts: recent[tag]}
		if w.Moved {
			s.seek(stream.record(tag.Tag))
		}
		l.todo = append(l.todo, s)
	}
	return nil
}

// wasBefore reports whether the record said the image before, within the time in which
// flip-flops count, and another one after that.
func (l *lookout) wasBefore(snap gitstore.Snapshot, w SiteChange) (bool, error) {
	s := l.cat.Stream(w.Site.Follows.Stream)
	st := s.record(w.Site.Follows.Tag)
	if st == nil || len(st.Items) == 0 || s.Blob == "" {
		return false, nil
	}
	src, err := snap.Read(l.log.ctx, s.Blob)
	if err != nil {
		return false, err
	}
	_, docs, err := reread(src)
	if err != nil {
		return false, nil // whoever edits it will say so
	}
	d, err := s.among(docs)
	if err != nil {
		return false, nil
	}
	items := d.Status.Tag(w.Site.Follows.Tag).Items
	if !w.Moved {
		items = items[1:]
	}
	return slices.ContainsFunc(items, func(item imagestream.Item) bool {
		return l.now.Sub(item.Created) < flipPeriod && w.saidBy(&imagestream.TagStatus{Items: []imagestream.Item{item}})
	}), nil
}

// look walks the log until every suspect has its verdict.
func (l *lookout) look(snap gitstore.Snapshot) error {
	if len(l.todo) == 0 {
		return nil
	}
	most := 0
	for _, s := range l.todo {
		most = max(most, s.change.Site.Settings.HoldDepth)
	}
	err := l.log.back(snap, most, func(st *step) (bool, error) {
		var still []*suspect
		for _, s := range l.todo {
			done, err := l.advance(s, st)
			if err != nil {
				return false, err
			}
			if !done {
				still = append(still, s)
			}
		}
		l.todo = still
		l.depth++
		return len(still) == 0, nil
	})
	if err != nil && !errors.Is(err, errCut) {
		return err
	}
	for _, s := range l.todo { // the log ends here, or we do: one site must not stop the others
		if s.asks && err != nil && s.changed == nil && s.gone == 0 {
			l.close(s, Hold{Why: TooLong})
		} else {
			l.judge(s)
		}
	}
	return nil
}

// advance takes a suspect over one step, and reports whether it has its verdict.
func (l *lookout) advance(s *suspect, st *step) (done bool, err error) {
	if s.asks {
		if l.depth >= s.change.Site.Settings.HoldDepth && s.changed == nil && s.gone == 0 {
			return l.close(s, Hold{Why: TooLong}), nil
		}
		record, said, err := l.said(s, st)
		if err != nil {
			return false, err
		}
		if !said {
			left, err := l.leftOut(s, st)
			if err != nil {
				return false, err
			}
			if left {
				return l.close(s, Hold{Why: LeftOut, By: st.at.Rev(), About: st.at.About()}), nil
			}
			s.asks, s.born = false, l.depth
			s.seek(record)
		}
	} else if s.seeks {
		if err := l.sought(s, st); err != nil {
			return false, err
		}
	}
	s.dated(l.now.Sub(st.at.About().When) < flipPeriod)
	if !s.asks && !s.seeks && !s.counts {
		return l.judge(s), nil
	}
	before, err := s.before(st)
	if err != nil {
		return false, err
	}
	if before == nil {
		if s.asks && s.gone < apart {
			s.gone++
			return false, nil
		}
		return l.judge(s), nil
	}
	s.gone = 0
	has := s.has
	if before != s.site {
		has = before.Had(s.change.Image, s.change.Site.style())
	}
	switch {
	case has && !s.has && s.asks:
		return l.close(s, Hold{Why: TakenBack, By: st.at.Rev(), About: st.at.About()}), nil
	case has && !s.has && s.lost.By == "":
		s.lost.By, s.lost.About = st.at.Rev(), st.at.About()
	case s.asks && !has && !s.has:
		s.altered(before, st)
	case s.has && !has && s.counts && s.long == 0:
		s.gives = append(s.gives, st.at.About().When)
	}
	s.has, s.site = has, before
	if v, ok := l.known.all[s.key]; ok && s.asks && st.parent.Rev() == l.known.tip { // nothing since then says otherwise
		return l.settle(s, v), nil
	}
	return false, nil
}

// before is the site as the parent has it, also where the commits between did not.
func (s *suspect) before(st *step) (*Site, error) {
	if s.gone > 0 {
		return st.siteAway(s.site)
	}
	return st.siteBefore(s.site)
}

// dated ends the count at commits that are too old for it. One with a wrong date, or a few, is
// no end.
func (s *suspect) dated(recent bool) {
	const few = 20
	if s.long++; recent {
		s.long = 0
	}
	s.counts = s.counts && s.long <= few
	s.seeks = s.seeks && s.long <= few
}

// altered notes that a commit changed what the site says, from one other image to another: not
// to this one in another style. A site that followed another tag then is none that was left as
// it was.
func (s *suspect) altered(before *Site, st *step) {
	s.retold = s.retold || before.Follows != s.site.Follows
	same := before.ID != s.site.ID || before.Current() == s.site.Current() || s.site.Had(s.change.Image, s.site.style())
	if !s.retold && s.changed == nil && !same {
		s.changed = &Hold{Why: Changed, By: st.at.Rev(), About: st.at.About()}
	}
}

// seek begins to look for somebody who took back the record, of which this is left.
func (s *suspect) seek(left *imagestream.TagStatus) {
	s.seeks, s.away = true, time.Time{}
	if left != nil && len(left.Items) > 0 {
		s.away = left.Items[0].Created
	}
}

// sought looks at a step that may have taken back the record: the image that is on record
// behind it is older than the one before, which is that of the suspect.
func (l *lookout) sought(s *suspect, st *step) error {
	s.seeks = l.depth < seekDepth || l.now.Sub(l.given[gift{s.change.Site.Follows, s.change.Image}]) < flipPeriod
	if st.change(s.stream.file.Path) == nil {
		return nil
	}
	record, said, err := l.said(s, st)
	switch {
	case err != nil:
		return err
	case record == nil && said: // nobody can read it there
	case said && record.Items[0].Created.After(s.away):
		s.asks, s.seeks = true, false
	default:
		s.seeks = false
	}
	return nil
}

// settle takes over what was found at an earlier tip, of which nothing since says otherwise. It
// is what a process that knows nothing would find: not what lies too far back.
func (l *lookout) settle(s *suspect, v verdict) (done bool) {
	v.depth += l.depth + 1
	switch {
	case v.depth > s.change.Site.Settings.HoldDepth:
		return l.close(s, Hold{Why: TooLong})
	case v.held && v.Why != FlipFlop:
		l.found[s.key] = v
		return true
	}
	s.asks, s.born = false, v.depth
	return !s.counts && l.judge(s)
}

// judge gives a suspect that nobody took back its verdict.
func (l *lookout) judge(s *suspect) bool {
	if s.changed != nil {
		return l.close(s, *s.changed)
	}
	if len(s.gives) < flips {
		if s.asks { // it was not there yet
			s.born = l.depth - s.gone
		}
		l.found[s.key] = verdict{depth: s.born}
		return true
	}
	return l.close(s, Hold{Why: FlipFlop, By: s.lost.By, About: s.lost.About, Until: s.gives[flips-1].Add(flipPeriod)})
}

// close gives a suspect its verdict.
func (l *lookout) close(s *suspect, h Hold) bool {
	l.found[s.key] = verdict{Hold: h, held: true, depth: l.depth}
	return true
}

// said reports whether the record said the image in the parent, too, and what it was where the
// step changed it and it can be read.
func (l *lookout) said(s *suspect, st *step) (*imagestream.TagStatus, bool, error) {
	if st.change(s.stream.file.Path) == nil {
		return nil, true, nil
	}
	if unknown, err := st.unknown(s.stream); unknown || err != nil {
		return nil, true, err // a file that is broken says nothing else
	}
	record, at, err := st.recordBefore(s.stream, s.change.Site.Follows.Tag)
	if err != nil || record == nil || len(record.Items) == 0 {
		return nil, false, err
	}
	s.stream = at
	return record, s.change.saidBy(record), nil
}

// saidBy reports whether a record says to the site what it says now.
func (c SiteChange) saidBy(record *imagestream.TagStatus) bool {
	then := trigger.ParseImage(record.Items[0].Reference)
	switch {
	case then.Digest == "": // a reference, as it is written
	case c.local:
		then.Name, then.Tag = c.Image.Name, c.Image.Tag
	case record.Source != nil:
		then.Tag = trigger.ParseImage(record.Source.From).Tag
	default: // it follows another tag, and only that one's record knows: nothing says otherwise
		then.Name, then.Tag = c.Image.Name, c.Image.Tag
	}
	return c.says(then)
}

// leftOut reports whether the commit that brought the record moved other sites of the tag,
// and not this one, which was there. Our own commits never do both; a proposal that was merged
// into one commit does. In a merge commit, work of many hands comes together: it says nothing;
// nor does a commit in whose time the site had to wait.
func (l *lookout) leftOut(s *suspect, st *step) (bool, error) {
	if made, _ := Guard([]SiteChange{s.change}, st.at.About().When); st.at.About().Merge || len(made) == 0 || s.gone > 0 {
		return false, nil
	}
	if gave, err := st.gives(s.change.Image, s.site); !gave || err != nil {
		return false, err
	}
	before, err := st.siteBefore(s.site)
	return before != nil && before.Current() == s.site.Current(), err
}
