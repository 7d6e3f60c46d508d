package main

import (
	"fmt"
	"strings"

	"github.com/seed-4012077a/flow/plugins/internal/group"
	"github.com/seed-4012077a/flow/plugins/internal/result"
	"github.com/seed-4012077a/flow/sdk/go"
	"github.com/seed-4012077a/flow/sdk/stats/panel"
)

// names numbers texts in the order in which they first appear.
type names struct {
	list  []string
	index map[string]int
}

func (n *names) of(s string) int {
	if k, ok := n.index[s]; ok {
		return k
	}
	if n.index == nil {
		n.index = map[string]int{}
	}
	s = strings.Clone(s)
	k := len(n.list)
	n.index[s], n.list = k, append(n.list, s)
	return k
}

// columns are the names of the panel's columns; developer may be "".
type columns struct {
	Score     string `json:"score"`
	Model     string `json:"model"`
	Prompt    string `json:"prompt"`
	Time      string `json:"time"`
	Developer string `json:"developer"`
}

const columnsSchema = `"score": {"type": "string", "minLength": 1, "default": "score", "description": "column of the score"},
	"model": {"type": "string", "minLength": 1, "default": "model", "description": "column of the model"},
	"prompt": {"type": "string", "minLength": 1, "default": "prompt", "description": "column of the prompt"},
	"time": {"type": "string", "minLength": 1, "default": "date", "description": "column of the model's release: a date, a timestamp, a text as 2024-06-30, or a number as 2024.5"},
	"developer": {"type": "string", "default": "", "description": "column of the model's developer, if any"}`

// scores collects the panel's rows.
type scores struct {
	columns
	year    func(c *sdk.Column, i int) (float64, bool, error)
	models  names
	prompts *names
	years   []float64 // by model
	makers  []string  // by model
	value   []float64 // by row
	model   []int32
	prompt  []int32
	rows    int
	left    int // rows without score, model, prompt or time
}

func newScores(o sdk.Opening, port string, c columns, prompts *names) (*scores, error) {
	in := o.Input(port)
	s := &scores{columns: c, prompts: prompts}
	if err := result.Numeric(in, "score", c.Score); err != nil {
		return nil, err
	}
	single := map[string]string{"model": c.Model, "prompt": c.Prompt}
	if c.Developer != "" {
		single["developer"] = c.Developer
	}
	for _, parameter := range []string{"model", "prompt", "developer"} {
		name, ok := single[parameter]
		if !ok {
			continue
		}
		f, err := result.Need(in, parameter, name)
		if err != nil {
			return nil, err
		}
		if !group.Single(f.Type) {
			return nil, sdk.ParamError(parameter, "column %q is %s: a name is a text, a number or a boolean", name, f.Type)
		}
	}
	var err error
	s.year, err = yearReader(in, "time", c.Time)
	return s, err
}

// add takes a batch's rows. A model with two times is an error.
func (s *scores) add(in *sdk.Batch) error {
	score, model, prompt, time := in.Col(s.Score), in.Col(s.Model), in.Col(s.Prompt), in.Col(s.Time)
	for i := range in.Len() {
		row := s.rows + i
		name, okModel := group.Text(model, i)
		question, okPrompt := group.Text(prompt, i)
		year, okYear, err := s.year(time, i)
		if err != nil {
			return err
		}
		v, okScore, err := result.Score(score, i, s.Score, row)
		if err != nil {
			return err
		}
		if !okModel || !okPrompt || !okYear || !okScore {
			s.left++
			continue
		}
		k := s.models.of(name)
		maker := ""
		if s.Developer != "" {
			maker, _ = group.Text(in.Col(s.Developer), i)
		}
		if k == len(s.years) {
			s.years, s.makers = append(s.years, year), append(s.makers, strings.Clone(maker))
		}
		if s.years[k] != year {
			return sdk.ColumnError(s.Time, "model %q has the times %.6g and %.6g; a model has one release", s.models.list[k], s.years[k], year)
		}
		if s.makers[k] != maker {
			return sdk.ColumnError(s.Developer, "model %q has the developers %q and %q", s.models.list[k], s.makers[k], maker)
		}
		s.value = append(s.value, v)
		s.model = append(s.model, int32(k))
		s.prompt = append(s.prompt, int32(s.prompts.of(question)))
	}
	s.rows += in.Len()
	return nil
}

// check is the error of a table without a usable row.
func (s *scores) check() error {
	switch {
	case s.rows == 0:
		return sdk.Errorf("the scores table has no rows")
	case len(s.value) == 0:
		return sdk.Errorf("no row has a score, a model, a prompt and a time: columns %s, %s, %s, %s", s.Score, s.Model, s.Prompt, s.Time)
	}
	return nil
}

// note counts the rows that were left out.
func (s *scores) note() string {
	if s.left == 0 {
		return ""
	}
	return fmt.Sprintf("%d rows without a score, model, prompt or time are left out", s.left)
}

// table is the scores by model and prompt.
func (s *scores) table() *panel.Scores {
	t := panel.NewScores(len(s.models.list), len(s.prompts.list))
	for i, v := range s.value {
		t.Add(int(s.model[i]), int(s.prompt[i]), v)
	}
	return t
}
