package gitea

import (
	sdk "code.gitea.io/sdk/gitea"

	"github.com/towpath/towpath/forge"
)

const (
	maxLabelPages = 20
	labelColor    = "#70c24a"
)

// label puts the ids of the labels into the request. Those that neither the repository nor
// its owner has are made.
func (m *making) label() error {
	if len(m.wanted.Labels) == 0 {
		return nil
	}
	known, err := m.known()
	if err != nil {
		return err
	}
	for _, name := range m.wanted.Labels {
		id, ok := known[name]
		if !ok {
			made, resp, err := m.c.CreateLabel(m.Owner, m.Repo, sdk.CreateLabelOption{Name: name, Color: labelColor})
			if err != nil {
				if err := m.leave("label "+name, m.failed(resp, err)); err != nil {
					return err
				}
				continue
			}
			id = made.ID
			known[name] = id
		}
		m.asks.Labels = append(m.asks.Labels, id)
	}
	return nil
}

// known are the ids of the labels that can be given. An owner that is no organization has none.
func (m *making) known() (map[string]int64, error) {
	known := map[string]int64{}
	missing := func() bool {
		for _, name := range m.wanted.Labels {
			if _, ok := known[name]; !ok {
				return true
			}
		}
		return false
	}
	list := func(read func(sdk.ListOptions) ([]*sdk.Label, *sdk.Response, error)) error {
		seen := map[int64]bool{}
		for number := 1; number <= maxLabelPages && missing(); number++ {
			labels, resp, err := read(sdk.ListOptions{Page: number, PageSize: m.PageSize})
			if err != nil {
				return m.failed(resp, err)
			}
			before := len(seen)
			for _, l := range labels {
				seen[l.ID] = true
				if _, ok := known[l.Name]; !ok {
					known[l.Name] = l.ID
				}
			}
			if len(seen) == before {
				break
			}
		}
		return nil
	}
	err := list(func(o sdk.ListOptions) ([]*sdk.Label, *sdk.Response, error) {
		return m.c.ListRepoLabels(m.Owner, m.Repo, sdk.ListLabelsOptions{ListOptions: o})
	})
	if err != nil || !missing() {
		return known, err
	}
	err = list(func(o sdk.ListOptions) ([]*sdk.Label, *sdk.Response, error) {
		return m.c.ListOrgLabels(m.Owner, sdk.ListOrgLabelsOptions{ListOptions: o})
	})
	if err != nil && kindOf(err) != forge.NotFound && kindOf(err) != forge.Forbidden {
		return nil, err
	}
	return known, nil
}
