package learn

import "strings"

// single is a relation of which a subject has one object at a time, so that a new one ends the old one.
type single struct {
	name  string
	also  string // other names of it, which are kept under name
	exact bool   // a value: other characters are another one, however near
	named bool   // the object is a thing with a name of its own: "a bank" says nothing against "Acme"
	place bool   // of which one can lie in another
}

// singles are all such relations. One that is not here has many objects: to end nothing that was true is worth more than to
// end all that no longer is.
var singles = []single{
	{name: "lives_in", also: "lives_at resides_in is_living_in living_in home_city", named: true, place: true},
	{name: "born_in", also: "was_born_in birthplace place_of_birth", named: true, place: true},
	{name: "hometown", also: "grew_up_in", named: true, place: true},
	{name: "located_in", also: "is_located_in based_in is_based_in headquartered_in", named: true, place: true},
	{name: "capital", also: "has_capital", named: true},
	{name: "works_at", also: "works_for is_employed_by employed_by employer is_working_at is_working_for", named: true},
	{name: "job_title", also: "works_as has_job_title occupation profession job role_at_work is_employed_as"},
	{name: "reports_to", also: "manager boss has_manager has_boss is_managed_by", named: true},
	{name: "led_by", also: "ceo has_ceo is_led_by head_of_state", named: true},
	{name: "studies_at", also: "attends_university goes_to_school_at", named: true},
	{name: "married_to", also: "is_married_to spouse husband wife husband_of wife_of spouse_of", named: true},
	{name: "engaged_to", also: "is_engaged_to fiance fiancee", named: true},
	{name: "dating", also: "is_dating partner_of has_partner girlfriend boyfriend", named: true},
	{name: "marital_status", also: "relationship_status"},
	{name: "age", also: "is_aged has_age years_old", exact: true},
	{name: "birthday", also: "born_on was_born_on date_of_birth birth_date birthdate", exact: true},
	{name: "height", also: "is_tall has_height", exact: true},
	{name: "weight", also: "weighs has_weight", exact: true},
	{name: "blood_type", also: "has_blood_type", exact: true},
	{name: "email", also: "email_address has_email e_mail", exact: true},
	{name: "phone", also: "phone_number has_phone_number telephone mobile mobile_number", exact: true},
	{name: "address", also: "home_address has_address", exact: true},
	{name: "full_name", also: "has_full_name legal_name"},
	{name: "gender"},
	{name: "nationality", also: "citizenship"},
	{name: "native_language", also: "mother_tongue"},
	{name: "timezone", also: "time_zone has_timezone", exact: true},
	{name: "salary", also: "earns", exact: true},
	{name: "price", also: "costs has_price", exact: true},
	{name: "status", also: "has_status"},
	{name: "deadline", also: "is_due due_date due_on", exact: true},
	{name: "scheduled_for", also: "is_scheduled_for takes_place_on", exact: true},
	{name: "latest_version", also: "current_version", exact: true},
	{name: "favorite_color", also: "favourite_color favourite_colour favorite_colour"},
	{name: "favorite_food", also: "favourite_food favorite_dish favourite_dish"},
	{name: "favorite_movie", also: "favourite_movie favorite_film favourite_film"},
	{name: "favorite_book", also: "favourite_book"},
	{name: "favorite_song", also: "favourite_song"},
	{name: "favorite_team", also: "favourite_team"},
	{name: "preferred_language", also: "prefers_language preferred_programming_language"},
}

// canonical returns the name under which a relation is kept, and what is known of it; nil for one with many objects.
func canonical(relation string) (string, *single) {
	for i := range singles {
		s := &singles[i]
		if s.name == relation {
			return s.name, s
		}
		for also := range strings.FieldsSeq(s.also) {
			if also == relation {
				return s.name, s
			}
		}
	}
	return relation, nil
}

// SingleValued reports whether a subject has at most one object of the relation at a time.
func SingleValued(relation string) bool {
	_, s := canonical(relation)
	return s != nil
}
