package eval

// Run is what one way of finding answered.
type Run struct {
	Mode    string
	Answers []Answer
}

// Scored is one way of finding with its figures, and how far the main ones may be chance.
type Scored struct {
	Mode      string
	Figures   Figures
	Intervals map[string]Interval
}

// Result is what a set says about an engine.
type Result struct {
	Name      string
	Documents int
	Questions int
	Scopes    int
	Ways      []Scored              // in the order asked
	Gain      map[string]Difference // of the first way over the last; nil when there is one
	HeldOut   *Result               // the even half of its haystacks; nil for a set of one
	Context   *ContextFigures       // nil when not measured
}

// Judge scores runs of one set, all of the same questions.
func Judge(s *Set, runs []Run) Result {
	r := judge(s, runs)
	if half, err := s.HalfOf(Even); err == nil { // else it has no second haystack
		of := map[string]bool{}
		for _, q := range half.Questions {
			of[q.ID] = true
		}
		held := make([]Run, len(runs))
		for i, run := range runs {
			held[i].Mode = run.Mode
			for _, a := range run.Answers {
				if of[a.Question.ID] {
					held[i].Answers = append(held[i].Answers, a)
				}
			}
		}
		part := judge(half, held)
		r.HeldOut = &part
	}
	return r
}

func judge(s *Set, runs []Run) Result {
	r := Result{Name: s.Name(), Documents: len(s.Documents), Questions: len(s.Questions), Scopes: len(s.Scopes())}
	for _, run := range runs {
		r.Ways = append(r.Ways, Scored{run.Mode, Measure(s, run.Answers), Intervals(s, run.Answers)})
	}
	if last := len(runs) - 1; last > 0 {
		r.Gain = Differences(s, runs[0].Answers, runs[last].Answers)
	}
	return r
}
