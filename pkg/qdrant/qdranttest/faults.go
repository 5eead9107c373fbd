package qdranttest

import (
	"math"
	"slices"

	"github.com/google/uuid"
	api "github.com/qdrant/go-client/qdrant"
	"google.golang.org/protobuf/proto"
)

// Faults say how a server misbehaves. The zero value behaves.
type Faults struct {
	Unavailable bool // every call is refused with Unavailable
	Hang        bool // every call waits until the fault is over or its deadline has passed

	Late        bool // changes are acknowledged but applied only by Settle, even when asked to wait
	LoseDeletes bool // deletions are confirmed and not done

	Reorder    bool               // rows of a query come in no order
	Duplicates bool               // every row of a query comes twice
	NaN        bool               // the best row of a query scores NaN
	Rows       int                // up to so many times the rows asked for; 0: as asked
	Foreign    bool               // the filter of a query is not looked at
	Ghosts     []*api.PointStruct // rows a query finds besides, with the score 1
}

// Break makes the server misbehave from now on, or behave again; calls that hang go on.
func (s *Server) Break(faults Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.hung)
	s.hung = make(chan struct{})
	s.faults = faults
}

// Settle applies what was acknowledged under Late.
func (s *Server) Settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, apply := range s.late {
		apply()
	}
	s.late = nil
}

// Points are the points of a collection, by id; vectors are as kept (of length 1 under cosine).
func (s *Server) Points(collection string) []*api.PointStruct {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.collections[collection]
	if !ok {
		return nil
	}
	var all []*api.PointStruct
	for _, p := range c.sorted(nil) {
		named := map[string]*api.Vector{}
		for name, vector := range p.vectors {
			named[name] = api.NewVectorDense(vector)
		}
		all = append(all, &api.PointStruct{Id: api.NewIDUUID(p.id), Payload: p.payload, Vectors: api.NewVectorsMap(named)})
	}
	return all
}

// Collections are the names of the collections.
func (s *Server) Collections() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.collections {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Lose drops a collection, as a disk does.
func (s *Server) Lose(collection string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.collections, collection)
}

// Forget drops one point, as nobody should.
func (s *Server) Forget(collection string, id *api.PointId) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c, ok := s.collections[collection]; ok {
		delete(c.points, id.GetUuid())
	}
}

// Plant puts a point into a collection, as somebody else could.
func (s *Server) Plant(collection string, p *api.PointStruct) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.collections[collection]
	planted, err := c.read(proto.CloneOf(p))
	if err != nil {
		s.t.Fatalf("plant: %v", err)
	}
	c.points[planted.id] = planted
}

// distort plays the faults of a query's rows.
func (f *Faults) distort(rows []*api.ScoredPoint, limit int) []*api.ScoredPoint {
	for _, g := range f.Ghosts {
		id := g.GetId()
		if id == nil {
			id = api.NewIDUUID(uuid.NewString())
		}
		rows = append([]*api.ScoredPoint{{Id: id, Payload: g.GetPayload(), Score: 1}}, rows...)
	}
	rows = rows[:min(len(rows), limit*max(1, f.Rows))]
	if f.NaN && len(rows) > 0 {
		rows[0].Score = float32(math.NaN())
	}
	if f.Duplicates {
		var twice []*api.ScoredPoint
		for _, row := range rows {
			twice = append(twice, row, proto.CloneOf(row))
		}
		rows = twice
		if f.Rows == 0 {
			rows = rows[:min(len(rows), limit)]
		}
	}
	if f.Reorder {
		slices.Reverse(rows)
	}
	return rows
}
