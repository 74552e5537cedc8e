package autotls

import "time"

// SetWait sets how long clients wait for a certificate.
func (p *Plugin) SetWait(d time.Duration) { p.wait = d }
