package imagestream

// Kinds of a tag's From.
const (
	DockerImage      = "DockerImage"
	ImageStreamTag   = "ImageStreamTag"
	ImageStreamImage = "ImageStreamImage"
)

// Import modes: of a manifest list, Legacy records the entry for one platform,
// PreserveOriginal the list itself.
const (
	Legacy           = "Legacy"
	PreserveOriginal = "PreserveOriginal"
)

// Tag is the record of a tag, nil where there is none.
func (s Status) Tag(name string) *TagStatus {
	for i := range s.Tags {
		if s.Tags[i].Tag == name {
			return &s.Tags[i]
		}
	}
	return nil
}
