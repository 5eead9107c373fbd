package reflection

import (
	"cmp"
	"slices"
)

// What makes memories related. The thresholds were set by reading the groups they make of chat turns, where two turns
// on one topic rarely share more than one or two telling words; a higher cut leaves most topics unseen, a lower one
// joins topics by chance.
const (
	relatedness  = 0.10 // mean similarity at which two groups are still one
	sessionBonus = 0.03 // same session
	nameBonus    = 0.10 // the same name of a person, place or thing
	minCluster   = 3    // fewer memories are no pattern
)

// cluster is a group of related documents, in the order of their times.
type cluster struct {
	documents []*document
	cohesion  float64 // mean similarity of its pairs, 0..1
}

// similarity is the cosine of the terms, raised by a shared session or name. The bonuses strengthen a likeness; they
// never make one, or a long session would be one topic.
func similarity(a, b *document) float64 {
	s := a.vector.cosine(b.vector)
	if s == 0 {
		return 0
	}
	if a.memory.SessionID != "" && a.memory.SessionID == b.memory.SessionID {
		s += sessionBonus
	}
	if overlap(a.names, b.names) {
		s += nameBonus
	}
	return min(s, 1)
}

// overlap reports whether two sorted lists share a value.
func overlap(a, b []string) bool {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			return true
		}
	}
	return false
}

// partitions splits documents by who they belong to: what one user or agent told is never joined with another's.
func partitions(documents []*document) [][]*document {
	type owner struct{ user, agent string }
	var parts [][]*document
	index := map[owner]int{}
	for _, d := range documents {
		o := owner{d.memory.UserID, d.memory.AgentID}
		i, known := index[o]
		if !known {
			i = len(parts)
			index[o] = i
			parts = append(parts, nil)
		}
		parts[i] = append(parts[i], d)
	}
	return parts
}

// clusters groups documents by average-linkage agglomerative clustering (UPGMA), cut at the relatedness. It follows
// chains of nearest neighbours, which gives the same tree as always merging the closest pair in quadratic time
// (Murtagh, "A Survey of Recent Advances in Hierarchical Clustering Algorithms", 1983). Ties go to the earlier document.
func clusters(documents []*document) []cluster {
	n := len(documents)
	if n < minCluster {
		return nil
	}
	sims := make([]float32, n*n)
	for i := range n {
		for j := i + 1; j < n; j++ {
			s := float32(similarity(documents[i], documents[j]))
			sims[i*n+j], sims[j*n+i] = s, s
		}
	}
	linked := slices.Clone(sims)
	size := make([]int, n) // 0: merged into another
	group := make([]int, n)
	for i := range n {
		size[i], group[i] = 1, i
	}
	chain := make([]int, 0, n)
	next := 0 // every group before it has been merged or found to have no neighbour near enough
	for next < n {
		if len(chain) == 0 {
			if size[next] == 0 {
				next++
				continue
			}
			chain = append(chain, next)
		}
		top := chain[len(chain)-1]
		nearest, best := -1, float32(relatedness)
		if len(chain) > 1 { // prefer the way back, or ties could go round in circles
			if back := chain[len(chain)-2]; linked[top*n+back] >= best {
				nearest, best = back, linked[top*n+back]
			}
		}
		for k := range n {
			if s := linked[top*n+k]; k != top && size[k] > 0 && (s > best || s == best && nearest < 0) {
				nearest, best = k, s
			}
		}
		switch {
		case nearest < 0: // nobody near: this group is done, and so is its chain
			size[top] = -size[top]
			chain = chain[:len(chain)-1]
		case len(chain) > 1 && nearest == chain[len(chain)-2]:
			chain = chain[:len(chain)-2]
			into, from := min(top, nearest), max(top, nearest)
			for k := range n {
				if k != into && k != from && size[k] > 0 {
					mean := (float32(size[into])*linked[into*n+k] + float32(size[from])*linked[from*n+k]) / float32(size[into]+size[from])
					linked[into*n+k], linked[k*n+into] = mean, mean
				}
			}
			size[into] += size[from]
			size[from] = 0
			for i := range n {
				if group[i] == from {
					group[i] = into
				}
			}
		default:
			chain = append(chain, nearest)
		}
		for next < n && size[next] <= 0 {
			next++
		}
	}
	return gather(documents, group, sims)
}

// gather makes clusters of at least minCluster documents from the group numbers.
func gather(documents []*document, group []int, sims []float32) []cluster {
	n := len(documents)
	members := make([][]int, n)
	for i, g := range group {
		members[g] = append(members[g], i)
	}
	var all []cluster
	for _, m := range members {
		if len(m) < minCluster {
			continue
		}
		c := cluster{}
		sum := 0.0
		for a, i := range m {
			c.documents = append(c.documents, documents[i])
			for _, j := range m[a+1:] {
				sum += float64(sims[i*n+j])
			}
		}
		c.cohesion = sum / float64(len(m)*(len(m)-1)/2)
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(a, b cluster) int { return cmp.Compare(len(b.documents), len(a.documents)) })
	return all
}
