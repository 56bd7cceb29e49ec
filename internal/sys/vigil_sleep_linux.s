// Functions without a body, which vigil_sleep_linux.go takes from the runtime, may
// stand in a package with an assembly file only.
