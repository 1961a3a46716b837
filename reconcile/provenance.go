package reconcile

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/towpath/towpath/imagestream"
	"github.com/towpath/towpath/registry"
)

// A provenance is what all of a stream's history says of where its images are from, by digest. Nobody
// changes it.
type provenance struct {
	origins map[string][]registry.Origin
	lenders map[string][]imagestream.Name
	items   int
}

// mostProvenance is how many items of histories a shelf remembers at most, or else one stream's.
const mostProvenance = 50_000

// provenances remembers them: registries ask again with every blob that they do not have, and each time
// a file would be read whole. The zero one is empty.
type provenances struct {
	mu    sync.Mutex
	of    map[imagestream.Name]*provenance
	items int
}

func (p *provenances) get(name imagestream.Name) *provenance {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.of[name]
}

// put remembers one, and forgets any others for it.
func (p *provenances) put(name imagestream.Name, is *provenance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of == nil {
		p.of = map[imagestream.Name]*provenance{}
	}
	if p.of[name] != nil {
		return // read twice at once
	}
	for other, was := range p.of {
		if p.items+is.items <= mostProvenance {
			break
		}
		delete(p.of, other)
		p.items -= was.items
	}
	p.of[name] = is
	p.items += is.items
}

// provenance is that of a stream, read once.
func (s *Shelf) provenance(ctx context.Context, stream *Stream) (*provenance, error) {
	if is := s.froms.get(stream.Name); is != nil {
		return is, nil
	}
	status, err := s.status(ctx, stream)
	if err != nil {
		return nil, err
	}
	is := s.provenanceOf(stream, status)
	s.froms.put(stream.Name, is)
	return is, nil
}

// provenanceOf sorts a history. What it keeps is copied: the text of the file goes.
func (s *Shelf) provenanceOf(stream *Stream, status imagestream.Status) *provenance {
	type origin struct {
		registry.Origin
		age int
	}
	is, host := &provenance{origins: map[string][]registry.Origin{}, lenders: map[string][]imagestream.Name{}}, s.cat.Config.Registry()
	all, once := map[string][]origin{}, map[string]string{}
	kept := func(text string) string {
		if _, there := once[text]; !there {
			text = strings.Clone(text)
			once[text] = text
		}
		return once[text]
	}
	for _, st := range status.Tags {
		on := registry.On{Namespace: stream.Name.Namespace, Path: stream.Path, Insecure: stream.Insecure && stream.Spec.Repository != ""}
		if t := stream.specTag(st.Tag); t != nil {
			on.Insecure = t.Insecure
		}
		for age, item := range st.Items {
			ref, err := registry.ParseRef(item.Reference)
			if err != nil || item.Image == "" {
				continue
			}
			is.items++
			if host == "" || ref.Host != host {
				repo := registry.Repo{Host: kept(ref.Host), Path: kept(ref.Path)}
				all[kept(item.Image)] = append(all[kept(item.Image)], origin{registry.Origin{On: on, Repo: repo}, age})
				continue
			}
			namespace, other, ok := strings.Cut(ref.Path, "/")
			from := imagestream.Name{Namespace: kept(namespace), Name: kept(other)}
			if ok && ref.Digest == item.Image && from != stream.Name && !slices.Contains(is.lenders[item.Image], from) {
				is.lenders[kept(item.Image)] = append(is.lenders[kept(item.Image)], from)
			}
		}
	}
	for digest, origins := range all {
		slices.SortStableFunc(origins, func(a, b origin) int {
			return cmp.Or(falseFirst(a.Insecure, b.Insecure), cmp.Compare(a.age, b.age))
		})
		for _, o := range origins {
			if !slices.Contains(is.origins[digest], o.Origin) {
				is.origins[digest] = append(is.origins[digest], o.Origin)
			}
		}
	}
	return is
}
