# SPDX-License-Identifier: GPL-2.0-or-later
# vbench: `make help` lists the targets.

PREFIX	?= /usr/local
DESTDIR	?=
CC	?= gcc
CLANG	?= clang
INSTALL	?= install
PROVE	?= prove
CFLAGS	?= -O2 -g -fstack-protector-strong $(if $(SAN),,-D_FORTIFY_SOURCE=2)
LDFLAGS	?= -Wl,-z,relro,-z,now

# Variables of the command line: V=1 WERROR=0 SAN=1 FIO_SRC=DIR GUEST_KERNEL=PACKAGE GUEST_KERNEL_FULL=PACKAGE
# FUZZ_SECONDS=N
WERROR	?= 1
FUZZ_SECONDS ?= 20

ifeq ($(V),1)
Q	:=
say	= @:
else
Q	:= @
say	= @printf '  %-8s %s\n' '$(1)' '$(2)'
MAKEFLAGS += --no-print-directory
endif

B	:= build$(if $(SAN),/san)
PROGRAM	:= $(if $(SAN),$(B)/vbench,vbench)
.DEFAULT_GOAL := all

# What a target builds for itself is built in parallel, unless make was told otherwise.
J	= $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

# --- flags ---------------------------------------------------------------------------------------

WARN	:= -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
ifneq ($(WERROR),0)
WARN	+= -Werror
endif
ifneq ($(SAN),)
SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
endif
BASEFLAGS := -std=gnu11 -D_GNU_SOURCE -I. -Iharness
FUZZ_FLAGS := -w -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined
AGENT_FLAGS := -O2 -g $(WARN) -std=gnu11 -D_GNU_SOURCE -I. -Iharness
PATHS	:= -DVB_PREFIX_LIB='"$(PREFIX)/lib/vbench"' -DVB_PREFIX_SHARE='"$(PREFIX)/share/vbench"'

# Goals that compile nothing need no libraries.
QUIET_GOALS := deps deps-check clean distclean help uninstall fio guest lab demo check check-unit check-long \
	check-lab bench fuzz-long prove-statistics install fresh
ifneq ($(filter-out $(QUIET_GOALS),$(or $(MAKECMDGOALS),all)),)
include build/config.mk
endif

build/config.mk: tools/config.sh tools/packages
	$(Q)mkdir -p $(@D)
	$(Q)tools/config.sh >$@.new && mv $@.new $@

# --- what there is -------------------------------------------------------------------------------

EMBED	:= $(sort $(wildcard tuning.md reports/*.html reports/*.css reports/*.js reports/*.md harness/store/*.sql))
EMBED_C	:= $(EMBED:%=build/embed/%.c)
AGENT_SRC := $(sort $(wildcard guest-agent/*.c))
# engines/: vring*.c is the fio engine, vhost_blk*.c the device's program, the rest is what both are made of.
FIO_ENGINE_SRC := $(sort $(wildcard engines/vring*.c))
VHOST_BLK_SRC := $(sort $(wildcard engines/vhost_blk*.c))
ENGINE_SRC := $(filter-out $(FIO_ENGINE_SRC) $(VHOST_BLK_SRC),$(sort $(wildcard engines/*.c)))
LIB_SRC	:= $(sort $(wildcard harness/*/*.c reports/*.c guest-agent/wire.c) $(ENGINE_SRC))
LIB_OBJ	:= $(LIB_SRC:%.c=$(B)/obj/%.o) $(EMBED_C:build/%.c=$(B)/obj/%.o)
AGENT_OBJ := $(AGENT_SRC:%.c=build/agent/%.o)
UNIT_SRC := $(sort $(wildcard tests/unit/*.c))
UNITS	:= $(UNIT_SRC:tests/unit/%.c=$(B)/tests/%)
# One program that simulates what the statistics promise; seq_table_make is one of its own.
PROOF_SRC := $(filter-out tests/prove/seq_table_make.c,$(sort $(wildcard tests/prove/*.c)))
PROOF	:= $(B)/prove/statistics
FUZZ_SRC := $(sort $(wildcard tests/fuzz/*.c))
FUZZERS	:= $(FUZZ_SRC:tests/fuzz/%.c=build/fuzz/%)
# Programs of several threads, under ThreadSanitizer: everything of engines/ anew.
TSAN_SRC := $(sort $(wildcard tests/tsan/*.c))
TSANS	:= $(TSAN_SRC:tests/tsan/%.c=build/tsan/%)
FUZZ_OBJ := $(LIB_SRC:%.c=build/fuzz/obj/%.o) $(EMBED_C:build/%.c=build/fuzz/obj/%.o)
LIB	:= $(B)/libvbench.a
AGENT	:= build/guest/vbench-agent
FIO	:= build/fio/VERSION
VRING	:= build/engines/vring.so
VHOST_BLK := $(B)/engines/vbench-vhost-blk
ENGINES	:= $(if $(FIO_ENGINE_SRC),$(VRING)) $(if $(VHOST_BLK_SRC),$(VHOST_BLK))
KERNEL	:= build/guest/KERNEL
KERNEL_FULL := build/guest/full/KERNEL

# A file whose text is the flags (or the list) in force: what depends on it is made anew when that changes.
quote = '$(subst ','\'',$(1))'
stamp = $(shell tools/stamp.sh $(call quote,$(1)) $(call quote,$(strip $(2))))
ifdef PKG_LIBS
$(call stamp,$(B)/flags,$(CC) $(CFLAGS) $(LDFLAGS) $(filter-out -Werror,$(WARN)) $(SANFLAGS) $(BASEFLAGS) $(PATHS) $(PKG_CFLAGS) $(PKG_LIBS))
$(call stamp,$(B)/sources,$(LIB_OBJ))
$(call stamp,build/agent/flags,$(CC) $(filter-out -Werror,$(AGENT_FLAGS)))
$(call stamp,build/agent/sources,$(AGENT_OBJ))
$(call stamp,build/fuzz/flags,$(CLANG) $(FUZZ_FLAGS) $(BASEFLAGS) $(PATHS) $(PKG_CFLAGS) $(PKG_LIBS))
$(call stamp,build/fuzz/sources,$(FUZZ_OBJ))
endif

VERSION := $(shell cat VERSION 2>/dev/null || git describe --always --dirty 2>/dev/null || echo unknown)
$(call stamp,build/version,$(VERSION))
# Only what names the version is compiled anew with each commit.
VERSIONED := $(shell grep -ls VB_VERSION harness/*.c harness/*/*.[ch] reports/*.[ch] guest-agent/*.[ch] engines/*.[ch])

# --- vbench --------------------------------------------------------------------------------------

.PHONY: all agent
all: $(PROGRAM) $(if $(AGENT_SRC),$(AGENT))
	$(if $(filter fio guest,$(MAKECMDGOALS)),@:,$(Q)test -e $(FIO) -a -e $(KERNEL) -a -e $(KERNEL_FULL)) || \
		echo "vbench is built; the small guest needs fio and a kernel, once: make fio guest"
agent: $(AGENT)

$(PROGRAM): $(B)/obj/harness/main.o $(LIB)
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -lm

$(LIB): $(LIB_OBJ) $(B)/sources
	$(call say,AR,$@)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(LIB_OBJ)

COMPILE	= $(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(WARN) $(SANFLAGS) $(BASEFLAGS) $(PATHS) \
	-DVB_VERSION='"$(VERSION)"' $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC,$@)
	$(COMPILE)

$(B)/obj/embed/%.o: build/embed/%.c $(B)/flags
	$(call say,CC,$@)
	$(COMPILE)

$(patsubst %.c,$(B)/obj/%.o,$(filter %.c,$(VERSIONED))): build/version
ifneq ($(filter guest-agent/%,$(VERSIONED)),)
$(AGENT_OBJ): build/version
endif

# FOO becomes `const unsigned char embed_FOO[]` (its name with _ for what C does not take) and `embed_FOO_len`.
build/embed/%.c: % Makefile
	$(call say,EMBED,$<)
	$(Q)mkdir -p $(@D)
	$(Q)name=embed_$$(basename $< | tr -c 'A-Za-z0-9\n' _); { \
		printf '#include <stddef.h>\nextern const unsigned char %s[];\nextern const size_t %s_len;\n' $$name $$name; \
		printf 'const unsigned char %s[] = {\n' $$name; xxd -i <$<; \
		printf ', 0};\nconst size_t %s_len = sizeof(%s) - 1;\n' $$name $$name; } >$@

# The guest's PID 1: static, since the initramfs holds no libraries.
$(AGENT): $(AGENT_OBJ) build/agent/sources
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -O2 -g -static -s -o $@.new $(AGENT_OBJ) -ljansson -lblkid -lmd
	$(Q)mv $@.new $@

build/agent/%.o: %.c build/agent/flags
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(AGENT_FLAGS) -DVB_VERSION='"$(VERSION)"' -MMD -MP -c -o $@ $<

# --- fio and the guest's kernel ------------------------------------------------------------------

.PHONY: fio guest
fio: $(FIO)
guest: $(KERNEL) $(KERNEL_FULL)

# FIO_SRC is in the stamp, so that naming another tree builds that one.
$(call stamp,build/fio.src,$(FIO_SRC))
$(call stamp,build/kernel.src,$(GUEST_KERNEL))
$(call stamp,build/kernel-full.src,$(GUEST_KERNEL_FULL))

$(FIO): tools/build-fio.sh build/fio.src
	$(call say,FIO,build/guest/fio build/fio/fio (see build/fio/build.log))
	$(Q)FIO_SRC='$(FIO_SRC)' tools/build-fio.sh build/fio build/guest

$(KERNEL): tools/fetch-kernel.sh build/kernel.src
	$(call say,KERNEL,build/guest/vmlinuz)
	$(Q)GUEST_KERNEL='$(GUEST_KERNEL)' tools/fetch-kernel.sh build/guest

# Only for what the kernel of clouds has no driver for: AHCI.
$(KERNEL_FULL): tools/fetch-kernel.sh build/kernel-full.src
	$(call say,KERNEL,build/guest/full/vmlinuz)
	$(Q)GUEST_KERNEL='$(GUEST_KERNEL_FULL)' tools/fetch-kernel.sh build/guest/full full

# --- the fio engine and its device ---------------------------------------------------------------

.PHONY: engines
engines: $(ENGINES)

# Position-independent, and with nothing visible but the engine's entry: fio exports its own symbols.
PIC_OBJ	:= $(patsubst %.c,build/engines/obj/%.o,$(ENGINE_SRC) $(FIO_ENGINE_SRC) harness/base/err.c)
PIC_FLAGS := $(filter-out -D_FORTIFY_SOURCE=2,$(CFLAGS)) -fPIC -fvisibility=hidden
FIO_FLAGS := -isystem build/fio/src -include build/fio/src/config-host.h -DBITS_PER_LONG=64 -D_LARGEFILE_SOURCE \
	-D_FILE_OFFSET_BITS=64
$(call stamp,build/engines/flags,$(CC) $(PIC_FLAGS) $(FIO_FLAGS) $(filter-out -Werror,$(WARN)) $(LDFLAGS) $(PIC_OBJ))

$(FIO_ENGINE_SRC:%.c=build/engines/obj/%.o): build/engines/obj/%.o: %.c build/engines/flags $(FIO)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(PIC_FLAGS) $(WARN) $(BASEFLAGS) $(FIO_FLAGS) -MMD -MP -c -o $@ $<

build/engines/obj/%.o: %.c build/engines/flags
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(PIC_FLAGS) $(WARN) $(BASEFLAGS) $(PATHS) $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

$(VRING): $(PIC_OBJ)
	$(call say,LD,$@)
	$(Q)$(CC) $(PIC_FLAGS) $(LDFLAGS) -shared -Wl,-Bsymbolic -o $@.new $(PIC_OBJ) -luring -pthread
	$(Q)mv $@.new $@

$(VHOST_BLK): $(VHOST_BLK_SRC:%.c=$(B)/obj/%.o) $(LIB)
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANFLAGS) $(LDFLAGS) -o $@ $^ $(PKG_LIBS) -luring -lm -pthread

# --- packages ------------------------------------------------------------------------------------

.PHONY: deps deps-check
deps:
	$(Q)tools/deps.sh run build $(if $(filter check,$(KINDS)),check)
deps-check:
	$(Q)tools/deps.sh --check run build check

# --- the two commands of the README --------------------------------------------------------------

.PHONY: demo check
demo:
	$(Q)tools/deps.sh run build
	$(Q)$(MAKE) $(J) all fio engines guest
	./vbench run quick

check:
	$(Q)tools/deps.sh run build check
	$(Q)$(MAKE) $(J) all fio engines guest check-programs
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) tools/prove.sh $(PROVE) --timer -- $(sort $(filter-out $(LOCKLESS),$(wildcard tests/e2e/*.t))) \
		-- $(UNITS) $(TSANS) $(sort $(wildcard tests/cli/*.t)) $(sort $(wildcard $(LOCKLESS)))

# Those that measure nothing by vbench itself, and so need not queue up for the host's lock.
LOCKLESS = $(patsubst %,tests/e2e/%.t,agent apply apply_fire apply_libvirt audit_pid fs libvirt slim vm_pid vring vring_death)

# --- tests ---------------------------------------------------------------------------------------

.PHONY: prove-statistics check-programs check-unit check-long check-lab lab bench fuzz fuzz-long fresh
check-programs: $(UNITS) $(TSANS) $(PROOF) fuzz

build/tsan/%: tests/tsan/%.c $(ENGINE_SRC) harness/base/err.c $(wildcard engines/*.h) build/flags
	$(call say,TSAN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) -w -O1 -g -fsanitize=thread $(BASEFLAGS) $(PATHS) $(PKG_CFLAGS) -MMD -MP -MF $@.d -o $@ $< \
		$(ENGINE_SRC) harness/base/err.c -lcmocka -luring -lm -pthread

check-unit:
	$(Q)tools/deps.sh build check
	$(Q)$(MAKE) $(J) unit-programs
	$(Q)$(PROVE) $(UNITS)

.PHONY: unit-programs
unit-programs: $(UNITS)

check-long:
	$(Q)tools/deps.sh run build check
	$(Q)$(MAKE) $(J) all fio engines guest check-programs
	$(Q)FUZZ_SECONDS=300 tools/prove.sh $(PROVE) --timer -- $(sort $(wildcard tests/cli/fuzz.t tests/long/*.t))

lab:
	$(Q)tests/lab/build

check-lab:
	$(Q)tools/deps.sh run build check
	$(Q)$(MAKE) $(J) all fio engines guest lab
	$(Q)tools/prove.sh $(PROVE) --timer -- $(sort $(wildcard tests/lab/t/*.t))

bench:
	$(Q)tools/deps.sh run build check
	$(Q)$(MAKE) $(J) all fio engines guest build/bench/kick
	$(Q)perl tests/bench/trial.pl
	$(Q)perl tests/bench/vring.pl

build/bench/%: tests/bench/%.c
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(CFLAGS) $(WARN) -std=gnu11 -D_GNU_SOURCE -o $@ $<

fresh:
	$(Q)tests/fresh/run

# Every figure in full; its short form is a test (tests/cli/prove.t).
prove-statistics:
	$(Q)tools/deps.sh build
	$(Q)$(MAKE) $(J) $(PROOF)
	$(Q)$(PROOF) --threads $(shell nproc)

$(PROOF): $(PROOF_SRC) $(wildcard tests/prove/*.h harness/*/*.h) $(LIB) $(B)/flags
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(WARN) $(SANFLAGS) $(BASEFLAGS) $(PKG_CFLAGS) $(LDFLAGS) -o $@ $(PROOF_SRC) $(LIB) $(PKG_LIBS) \
		-lm -pthread

$(B)/tests/%: tests/unit/%.c $(LIB) $(B)/flags
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(WARN) $(SANFLAGS) $(BASEFLAGS) $(PKG_CFLAGS) -MMD -MP -MF $@.d $(LDFLAGS) \
		-o $@ $< $(LIB) -lcmocka $(PKG_LIBS) -lm

# --- fuzzers: everything anew by clang, with coverage --------------------------------------------

fuzz: $(FUZZERS)

fuzz-long:
	$(Q)tools/deps.sh build check
	$(Q)$(MAKE) $(J) fuzz
	$(Q)FUZZ_SECONDS=$(or $(filter-out 20,$(FUZZ_SECONDS)),300) $(PROVE) --timer -v tests/cli/fuzz.t

build/fuzz/obj/%.o: %.c build/fuzz/flags
	$(call say,CLANG,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,address,undefined $(BASEFLAGS) $(PATHS) \
		-DVB_VERSION='"fuzz"' $(PKG_CFLAGS) -MMD -MP -c -o $@ $<

build/fuzz/obj/embed/%.o: build/embed/%.c
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -c -o $@ $<

build/fuzz/libvbench.a: $(FUZZ_OBJ) build/fuzz/sources
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(FUZZ_OBJ)

build/fuzz/%: tests/fuzz/%.c build/fuzz/libvbench.a
	$(call say,FUZZER,$@)
	$(Q)$(CLANG) $(FUZZ_FLAGS) -fsanitize=fuzzer,address,undefined $(BASEFLAGS) $(PKG_CFLAGS) \
		-MMD -MP -MF $@.d -o $@ $< build/fuzz/libvbench.a $(PKG_LIBS) -lm

# --- installation --------------------------------------------------------------------------------

LIBDIR	= $(DESTDIR)$(PREFIX)/lib/vbench
SHAREDIR = $(DESTDIR)$(PREFIX)/share/vbench
DOCDIR	= $(DESTDIR)$(PREFIX)/share/doc/vbench
DOCS	= $(wildcard README.md HACKING.md LICENSE tuning.md reports/methods.md)

.PHONY: install uninstall clean distclean help
install:
	$(Q)$(MAKE) $(J) all fio engines guest
	$(Q)$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(LIBDIR)/guest $(LIBDIR)/fio $(LIBDIR)/engines $(SHAREDIR)/profiles $(DOCDIR)
	$(Q)$(INSTALL) -m 755 vbench $(DESTDIR)$(PREFIX)/bin/vbench
	$(Q)$(INSTALL) -m 755 build/fio/fio $(LIBDIR)/fio/fio
	$(Q)$(INSTALL) -m 755 $(VRING) $(VHOST_BLK) $(LIBDIR)/engines
	$(Q)$(INSTALL) -m 755 build/guest/fio $(AGENT) $(LIBDIR)/guest
	$(Q)$(INSTALL) -m 644 build/guest/vmlinuz $(KERNEL) $(LIBDIR)/guest
	$(Q)rm -rf $(LIBDIR)/guest/modules $(LIBDIR)/guest/full
	$(Q)cp -R build/guest/modules $(LIBDIR)/guest/modules
	$(Q)$(INSTALL) -d $(LIBDIR)/guest/full
	$(Q)$(INSTALL) -m 644 build/guest/full/vmlinuz $(KERNEL_FULL) $(LIBDIR)/guest/full
	$(Q)cp -R build/guest/full/modules $(LIBDIR)/guest/full/modules
	$(Q)$(INSTALL) -m 644 $(wildcard profiles/*.ini) $(SHAREDIR)/profiles
	$(Q)$(INSTALL) -m 644 $(DOCS) $(DOCDIR)
	$(Q)$(INSTALL) -d $(DOCDIR)/nightly
	$(Q)$(INSTALL) -m 644 $(wildcard tools/nightly/*) $(DOCDIR)/nightly
	$(call say,INSTALL,$(DESTDIR)$(PREFIX)/bin/vbench)

uninstall:
	$(Q)rm -f $(DESTDIR)$(PREFIX)/bin/vbench
	$(Q)rm -rf $(LIBDIR) $(SHAREDIR) $(DOCDIR)

# fio, the kernel and the lab took a while and stay; distclean takes them too.
clean:
	$(Q)rm -rf vbench build/obj build/san build/tests build/prove build/tsan build/bench build/engines build/fuzz build/agent build/embed build/*.a \
		build/config.mk build/config.mk.new build/flags build/sources build/version $(AGENT)

distclean:
	$(Q)rm -rf vbench build

help:
	@echo 'make              ./vbench and the agent of the small guest'
	@echo 'make demo         install the packages needed, build, measure profiles/quick.ini'
	@echo 'make check        install the packages tests need, build, run every test'
	@echo
	@echo 'make deps         install the packages needed to build and run (deps-check: name the missing ones)'
	@echo 'make fio          fio for guest and host, from the source package of Debian (or FIO_SRC=DIR)'
	@echo 'make engines      the fio engine vring and its vhost-user-blk device'
	@echo 'make guest        the kernels of the small guest, from their packages (or GUEST_KERNEL=PACKAGE)'
	@echo 'make install      into PREFIX=$(PREFIX), below DESTDIR=; make uninstall takes it away'
	@echo 'make check-unit   the C units alone'
	@echo 'make check-long   longer fuzzing and tests of many minutes'
	@echo 'make check-lab    tests inside the lab host, an emulated machine where KVM works (make lab builds it)'
	@echo 'make fuzz-long    each fuzzer for FUZZ_SECONDS=300'
	@echo 'make prove-statistics  what the statistics promise, simulated in full (minutes)'
	@echo 'make bench        figures: harness time per trial and where it goes'
	@echo 'make fresh        make demo in an empty Debian, as a new user would; needs root'
	@echo 'make clean        what is compiled; make distclean: also fio, the kernel and the lab'
	@echo
	@echo 'V=1 shows commands, WERROR=0 lets warnings pass, SAN=1 builds build/san/vbench with ASan and UBSan'

.DELETE_ON_ERROR:
.SECONDARY: $(EMBED_C)

-include $(LIB_OBJ:.o=.d) $(B)/obj/harness/main.d $(AGENT_OBJ:.o=.d) $(UNITS:=.d) $(FUZZ_OBJ:.o=.d) $(FUZZERS:=.d) \
	$(PIC_OBJ:.o=.d) $(VHOST_BLK_SRC:%.c=$(B)/obj/%.d) $(TSANS:=.d)
