package web

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A snapshot is what samples are taken of.
type snapshot struct {
	Status
	started time.Time
	ready   bool
	total   totals
}

// A metric is one value of a snapshot, or one value for each of a fixed set of
// labels; without a set, for each that values has. Labels never come from files, registries
// or requests. Of two labels the names, and their values, have a comma between them.
type metric struct {
	name, help string
	counter    bool
	value      func(snapshot) float64
	label      string // with labels and values instead of value
	labels     []string
	values     func(snapshot) map[string]int
}

// metrics are all that towpath tells of itself, but for passes' time.
var metrics = []metric{
	{name: "towpath_streams", help: "Image streams in the repository.", value: func(s snapshot) float64 { return float64(s.Streams) }},
	{name: "towpath_tags", help: "Tags of image streams.", value: func(s snapshot) float64 { return float64(s.Tags) }},
	{name: "towpath_sites", help: "Places that follow a tag.", value: func(s snapshot) float64 { return float64(s.Sites) }},
	{name: "towpath_problems", help: "Problems in files that a person must put right.", value: func(s snapshot) float64 { return float64(s.Problems) }},
	{name: "towpath_failing_tags", help: "Tags whose last import failed.", value: func(s snapshot) float64 { return float64(s.Failing) }},
	{name: "towpath_held_sites", help: "Places that a person put back to an older image.", value: func(s snapshot) float64 { return float64(s.Held) }},
	{name: "towpath_sites_held", help: "Places that are left alone for a person's sake, by the commit that did it.", label: "commit", values: func(s snapshot) map[string]int { return byCommit(s.HeldBy) }},
	{name: "towpath_sites_deferred", help: "Places that move later, for .towpath.yaml says so.", value: func(s snapshot) float64 { return float64(s.Deferred) }},
	{name: "towpath_proposals", help: "Proposals, by how far they have come.", label: "state", labels: ProposalStates, values: func(s snapshot) map[string]int { return byState(s.Proposals) }},
	{name: "towpath_forge_up", help: "0 while the forge cannot be asked about proposals.", value: func(s snapshot) float64 { return bit(s.Forge == "") }},
	{name: "towpath_arrivals_waiting", help: "Pushes to towpath's own registry that are not on record.", value: func(s snapshot) float64 { return float64(len(s.Arrivals)) }},
	{name: "towpath_registry_up", help: "0 while what was pushed to towpath's own registry cannot be read.", value: func(s snapshot) float64 { return bit(s.Registry == "") }},
	{name: "towpath_config_invalid", help: "1 while .towpath.yaml is invalid and nothing is written.", value: func(s snapshot) float64 { return bit(s.BadConfig) }},
	{name: "towpath_ready", help: "1 once a pass has read the repository.", value: func(s snapshot) float64 { return bit(s.ready) }},
	{name: "towpath_start_time_seconds", help: "Unix time at which the process started.", value: func(s snapshot) float64 { return unix(s.started) }},
	{name: "towpath_last_pass_time_seconds", help: "Unix time at which the last pass ended; 0 before the first.", value: func(s snapshot) float64 { return unix(s.LastPass) }},
	{name: "towpath_failed_passes_total", help: "Passes that ended with an error.", counter: true, value: func(s snapshot) float64 { return float64(s.total.failed) }},
	{name: "towpath_commits_total", help: "Commits written.", counter: true, label: "kind", labels: CommitKinds, values: func(s snapshot) map[string]int { return s.total.commits }},
	{name: "towpath_imports_total", help: "Answers of registries.", counter: true, label: "result", labels: ImportResults, values: func(s snapshot) map[string]int { return s.total.imports }},
	{name: "towpath_notifications_total", help: "What became of notifications.", counter: true, label: "sink,outcome", values: func(s snapshot) map[string]int { return byOutcome(s.Notifications) }},
}

// passTime is the summary of how long passes took.
const passTime = "towpath_pass_duration_seconds"

// buildInfo is the metric that tells the version.
const buildInfo = "towpath_build_info"

// unix is a time in seconds; 0 for the zero time.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// A collector turns the snapshot of the moment into samples.
type collector struct {
	snapshot func() snapshot
	descs    []*prometheus.Desc // of metrics, in their order
	passTime *prometheus.Desc
}

func newCollector(current func() snapshot) *collector {
	c := &collector{snapshot: current, passTime: prometheus.NewDesc(passTime, "Time that passes took.", nil, nil)}
	for _, m := range metrics {
		var labels []string
		if m.label != "" {
			labels = strings.Split(m.label, ",")
		}
		c.descs = append(c.descs, prometheus.NewDesc(m.name, m.help, labels, nil))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		ch <- d
	}
	ch <- c.passTime
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.snapshot()
	for i, m := range metrics {
		kind := prometheus.GaugeValue
		if m.counter {
			kind = prometheus.CounterValue
		}
		if m.label == "" {
			ch <- prometheus.MustNewConstMetric(c.descs[i], kind, m.value(s))
			continue
		}
		counts, labels := m.values(s), m.labels
		if labels == nil {
			labels = slices.Collect(maps.Keys(counts))
		}
		for _, l := range labels {
			ch <- prometheus.MustNewConstMetric(c.descs[i], kind, float64(counts[l]), strings.Split(l, ",")...)
		}
	}
	ch <- prometheus.MustNewConstSummary(c.passTime, uint64(s.total.passes), s.total.took.Seconds(), nil)
}

// hooksTotal is the metric of webhooks. It has two labels, and only lines of what came.
var hooksTotal = prometheus.NewDesc("towpath_hooks_total", "Webhooks, by kind and by what became of them.", []string{"kind", "outcome"}, nil)

// hookLast is the metric of receivers; likewise.
var hookLast = prometheus.NewDesc("towpath_hook_last_seconds", "Unix time at which a receiver of webhooks was last heard, by what became of it.", []string{"hook", "outcome"}, nil)

// registryTotal is the metric of the integrated registry.
var registryTotal = prometheus.NewDesc("towpath_registry_requests_total", "Requests to towpath's own registry, by what they are for and by what became of them.", []string{"what", "outcome"}, nil)

// A tally turns counts that others keep into samples of a metric, at the moment that it is asked.
type tally struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	count func(put func(n int64, labels ...string))
}

// Describe implements prometheus.Collector.
func (t tally) Describe(ch chan<- *prometheus.Desc) { ch <- t.desc }

// Collect implements prometheus.Collector.
func (t tally) Collect(ch chan<- prometheus.Metric) {
	t.count(func(n int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(t.desc, t.kind, float64(n), labels...)
	})
}

// tallies are those that the options have.
func (o Options) tallies() []prometheus.Collector {
	var all []prometheus.Collector
	if o.Hooks != nil {
		all = append(all, tally{hooksTotal, prometheus.CounterValue, func(put func(int64, ...string)) {
			for _, c := range o.Hooks() {
				put(c.N, c.Kind, c.Outcome)
			}
		}})
	}
	if o.Heard != nil {
		all = append(all, tally{hookLast, prometheus.GaugeValue, func(put func(int64, ...string)) {
			for _, l := range o.Heard() {
				put(l.At.Unix(), l.Hook, l.Outcome)
			}
		}})
	}
	if o.Registry != nil {
		all = append(all, tally{registryTotal, prometheus.CounterValue, func(put func(int64, ...string)) {
			for _, c := range o.Registry() {
				put(c.N, c.What, c.Outcome)
			}
		}})
	}
	return all
}

func bit(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
