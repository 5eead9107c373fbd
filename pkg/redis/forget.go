package redis

import "context"

const (
	scanPage      = 1000
	forgetAtATime = 500
)

// forget removes every key with the prefix that was there before the call, and counts them.
func (c *Client) forget(ctx context.Context, prefix string) (int, error) {
	names, err := c.names(ctx, prefix)
	if err != nil {
		return 0, err
	}
	return c.remove(ctx, names)
}

// names lists the keys with the prefix, some perhaps twice. Nothing is removed while it looks: cursors need not
// survive that everywhere.
func (c *Client) names(ctx context.Context, prefix string) (names []string, err error) {
	for cursor := uint64(0); ; {
		var page []string
		err := c.guard.do(ctx, "forget", func(ctx context.Context) (err error) {
			page, cursor, err = c.redis.Scan(ctx, cursor, prefix+"*", scanPage).Result()
			return err
		})
		if err != nil {
			return nil, err
		}
		if names = append(names, page...); cursor == 0 {
			return names, nil
		}
	}
}

func (c *Client) remove(ctx context.Context, names []string) (removed int, err error) {
	for len(names) > 0 {
		some := names[:min(forgetAtATime, len(names))]
		names = names[len(some):]
		err := c.guard.do(ctx, "forget", func(ctx context.Context) error {
			n, err := c.redis.Del(ctx, some...).Result()
			removed += int(n)
			return err
		})
		if err != nil {
			return removed, err
		}
	}
	return removed, nil
}
