package damage

import "example.com/tandem/atomics"

func value1[T comparable](u *user, name string, x T) error {
	v, err := atomics.OpenValue(u.r, name, x)
	if err != nil {
		return err
	}
	u.lock(name, v)
	u.try(name, func() error {
		v.CompareAndSwap(v.Load(), x)
		v.Update(func(y T) T { return y })
		v.Swap(v.Load())
		v.Store(x)
		return nil
	})
	u.again(name, v, new(atomics.Value[T]), nil)
	return nil
}

func number[T atomics.Number](u *user, name string) error {
	v, err := atomics.OpenValue(u.r, name, T(1))
	if err != nil {
		return err
	}
	u.try(name+" Add", func() error { return wish(atomics.Add(v, 3)) })
	return value1(u, name, T(2))
}

func array[T atomics.Number](u *user, name string) error {
	a, err := atomics.OpenArray[T](u.r, name, 0)
	if err != nil {
		return err
	}
	u.lock(name, a)
	u.try(name, func() error {
		dst := make([]T, a.Len())
		a.CopyTo(dst)
		a.CopyFrom(dst)
		for i, x := range a.All() {
			a.CompareAndSwap(i, x, x+1)
			a.Store(i, a.Swap(i, x))
			a.Update(i, func(y T) T { return y + 1 })
			atomics.AddAt(a, i, 2)
		}
		return nil
	})
	u.again(name, a, new(atomics.Array[T]), nil)
	return nil
}

func wides[T comparable](u *user, name string) error {
	a, err := atomics.OpenArray[T](u.r, name, 0)
	if err != nil {
		return err
	}
	u.lock(name, a)
	u.try(name, func() error {
		dst := make([]T, a.Len())
		a.CopyTo(dst)
		a.CopyFrom(dst)
		for i, x := range a.All() {
			a.CompareAndSwap(i, x, dst[0])
			a.Store(i, a.Swap(i, x))
			a.Update(i, func(y T) T { return y })
		}
		return nil
	})
	u.again(name, a, new(atomics.Array[T]), nil)
	return nil
}

func (u *user) slice() error {
	s, err := atomics.OpenSlice[row](u.r, "rows", 0)
	if err != nil {
		return err
	}
	u.try("rows Data", func() error {
		for i, x := range s.Data() {
			s.Data()[i] = x
		}
		return nil
	})
	u.again("rows", s, new(atomics.Slice[row]), nil)
	return nil
}
