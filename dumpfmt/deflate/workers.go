package deflate

// start starts the goroutines: as many workers as there are jobs, and one that
// writes what they made, in order.
func (p *packer) start() {
	p.work = make(chan *piece, p.opts.Jobs+1)
	p.order = make(chan *piece, p.opts.Jobs+1)
	if len(p.encoders) < p.opts.Jobs {
		p.encoders = append(p.encoders, make([]*Encoder, p.opts.Jobs-len(p.encoders))...)
	}
	for worker := range p.opts.Jobs {
		p.wg.Go(func() {
			for c := range p.work {
				if p.failed() == nil {
					p.compress(worker, c)
				}
				c.done <- struct{}{}
			}
		})
	}
	p.wg.Go(p.emit)
}

// emit writes the pieces. After an error it only puts them back, so that
// nobody waits for ever.
func (p *packer) emit() {
	for c := range p.order {
		<-c.done
		// The error is kept and found by the next call.
		_ = p.put(c)
		p.free <- c
	}
}

// drain waits until no piece is on its way.
func (p *packer) drain() {
	if p.work == nil {
		return
	}
	away := p.made
	if p.cur != nil {
		away--
	}
	back := make([]*piece, away)
	for i := range back {
		back[i] = <-p.free
	}
	for _, c := range back {
		p.free <- c
	}
}

// stop ends the goroutines and waits for them.
func (p *packer) stop() {
	if p.work == nil {
		return
	}
	close(p.work)
	close(p.order)
	p.wg.Wait()
	p.work, p.order = nil, nil
}
