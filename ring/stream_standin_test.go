package ring

import "example.com/tandem/internal/object"

func coreOf(c *streamConn) *object.Core { return c.core }
