package resolve

// Candidates is how many pairs are compared.
func Candidates(all []Mentioned) int { return len(newSpace(all, &Resolver{}).candidates()) }
