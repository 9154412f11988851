# make            build the program and the bindings whose language is installed
# make run        install what is missing, build, serve the demo on 127.0.0.1:8000
# make test       install what is missing, build, run all tests
# make fuzz       look for bytes that break a codec: FUZZ_SECONDS (60) each, FUZZ=proxy for one
# make bench      compare with other servers, in one run; bench-quick: with ourselves before
# make install    under PREFIX (/usr/local) below DESTDIR
# make deb        Debian packages, in build/deb
# Others: uninstall manual format clean deps. Variants, each in a folder of its own:
# make CC=clang, make SANITIZE=address,undefined. V=1 shows the commands.
# make SANITIZE=thread check-threads

VERSION = 0.1.0
PREFIX ?= /usr/local
CFLAGS ?= -O2 -g
SHELL = /bin/bash

empty :=
space := $(empty) $(empty)
comma := ,
ifneq ($(origin CC),default)
VARIANT := $(addprefix -,$(filter-out gcc cc,$(notdir $(firstword $(CC)))))
else
CC = gcc
endif
VARIANT := $(VARIANT)$(addprefix -,$(subst $(comma),-,$(SANITIZE)))
BUILD ?= build$(VARIANT)

OWN_CPPFLAGS = -I. -D_GNU_SOURCE -DALICORN_VERSION='"$(VERSION)"' -MMD -MP
OWN_CFLAGS = -std=c17 -fPIC -fvisibility=hidden -fno-strict-aliasing -Wall -Wextra \
	-Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings \
	-Wpointer-arith -Wvla -Wformat=2 -fstack-protector-strong
OWN_LDFLAGS = -Wl,-z,relro,-z,now
ifneq ($(SANITIZE),)
OWN_CFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OWN_LDFLAGS += -fsanitize=$(SANITIZE)
else
OWN_CPPFLAGS += -D_FORTIFY_SOURCE=2
endif

# llhttp: the library where there is one, else the C sources of Debian's node-llhttp.
ifeq ($(shell pkg-config --exists libllhttp && echo yes),yes)
LLHTTP_CFLAGS := $(shell pkg-config --cflags libllhttp)
LLHTTP_LIBS := $(shell pkg-config --libs libllhttp)
else
LLHTTP_SOURCES := $(wildcard /usr/share/llhttp/*.c)
LLHTTP_CFLAGS := -isystem /usr/share/include/llhttp -DLLHTTP_STRICT_MODE=1
endif
LLHTTP_OBJECTS := $(patsubst /usr/share/llhttp/%.c,$(BUILD)/llhttp/%.o,$(LLHTTP_SOURCES))

CONFIG_LIBS := $(shell pkg-config --libs libconfig)
PYTHON_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags python3-embed 2>/dev/null))
PYTHON_LIBS := $(shell pkg-config --libs python3-embed 2>/dev/null)

LUA_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags lua5.4 2>/dev/null))
LUA_LIBS := $(shell pkg-config --libs lua5.4 2>/dev/null)
LUAJIT_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags luajit 2>/dev/null))
LUAJIT_LIBS := $(shell pkg-config --libs luajit 2>/dev/null)
# The embed library of PHP has no file for pkg-config.
PHP_LIBS := $(firstword $(wildcard /usr/lib/libphp8.*.so))
PHP_CONFIG := $(wildcard $(PHP_LIBS:/usr/lib/libphp%.so=/usr/bin/php-config%))
PHP_CFLAGS := $(if $(PHP_CONFIG),$(patsubst -I%,-isystem %,$(shell $(PHP_CONFIG) --includes)))

objects = $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard $(addsuffix /*.c,$(1)))))
PROTOCOLS := $(call objects,protocols)
GATEWAY := $(call objects,gateway gateway/config gateway/common gateway/status \
	gateway/arbiter gateway/routes gateway/worker gateway/logger)
FUZZED := $(filter-out %/entry.o,$(call objects,tests/fuzz))
UNIT_TESTS := $(call objects,tests/unit) $(FUZZED)
FUZZERS := $(patsubst $(BUILD)/tests/fuzz/%.o,$(BUILD)/fuzz/%,$(FUZZED))
CODECS := $(patsubst %,$(BUILD)/protocols/%.o,fastcgi cgi_head cgi_path http1_guard \
	buffer arena)

# A binding is built when its language is installed.
# The two kinds of Lua are made of one source.
BINDINGS := c cgi fastcgi files $(if $(PYTHON_LIBS),python) $(if $(LUA_LIBS),lua) \
	$(if $(LUAJIT_LIBS),luajit) $(if $(PHP_CFLAGS),php)
BINDING_FILES := $(BINDINGS:%=$(BUILD)/%.so)
DEMO_FILES := $(patsubst conf.d/demo/%.c,$(BUILD)/apps/%.so,$(wildcard conf.d/demo/*.c))
EXAMPLES := $(addprefix $(BUILD)/examples/imsg/,sender receiver)
# Applications: a file each, and in websocket/ what both are made of.
EXAMPLE_APPS := $(addprefix $(BUILD)/examples/,websocket/echo.so websocket/chat.so \
	events/events.so simulation/simulation.so worker/upper.so)
# A binding, with the library of its language.
DUKTAPE_LIBS := $(shell pkg-config --libs duktape 2>/dev/null)
EXAMPLE_APPS += $(if $(DUKTAPE_LIBS),$(BUILD)/examples/binding/javascript.so)
WEBSOCKET := $(filter-out %/echo.o %/chat.o,$(call objects,examples/websocket))
TEST_FILES := $(patsubst tests/apps/%.c,$(BUILD)/apps/%.so,$(wildcard tests/apps/*.c))

Q = $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

all: $(BUILD)/alicorn $(BUILD)/alicornctl $(BUILD)/alicorn-fcgi $(BINDING_FILES) $(DEMO_FILES) $(EXAMPLE_APPS)
	@$(foreach b,$(filter-out $(BINDINGS),python lua luajit php),echo \
		"$(b): not built, its language is not installed (make deps)";)

$(BUILD)/alicorn: $(GATEWAY) $(PROTOCOLS) $(LLHTTP_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_CFLAGS) $(LDFLAGS) $(OWN_LDFLAGS) -rdynamic -pie -o $@ $^ \
		$(CONFIG_LIBS) $(LLHTTP_LIBS) -ldl -lpthread $(LDLIBS)

$(BUILD)/alicornctl: $(call objects,gateway/ctl) $(BUILD)/protocols/buffer.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_CFLAGS) $(LDFLAGS) $(OWN_LDFLAGS) -pie -o $@ $^ $(LDLIBS)

# The binding of C applications, on libfcgi instead of the gateway.
$(BUILD)/alicorn-fcgi: $(call objects,tools/fcgi bindings/c) $(CODECS) $(patsubst \
		%,$(BUILD)/%.o,gateway/worker/body gateway/worker/spool \
		protocols/http1_response protocols/http1_encode)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_CFLAGS) $(LDFLAGS) $(OWN_LDFLAGS) -rdynamic -pie -o $@ $^ \
		-lfcgi -ldl $(LDLIBS)

$(BUILD)/python.so: BINDING_LIBS = $(PYTHON_LIBS)
$(BUILD)/bindings/python/%.o: OWN_CFLAGS += $(PYTHON_CFLAGS)
$(BUILD)/lua.so: BINDING_LIBS = $(LUA_LIBS)
$(BUILD)/bindings/lua/%.o: OWN_CFLAGS += $(LUA_CFLAGS)
$(BUILD)/luajit.so: BINDING_LIBS = $(LUAJIT_LIBS)
$(BUILD)/bindings/luajit/%.o: OWN_CFLAGS += $(LUAJIT_CFLAGS)
$(BUILD)/php.so: BINDING_LIBS = $(PHP_LIBS)
$(BUILD)/bindings/php/%.o: OWN_CFLAGS += $(PHP_CFLAGS)
$(BUILD)/protocols/%.o: OWN_CFLAGS += $(LLHTTP_CFLAGS)
$(BUILD)/fastcgi.so $(BUILD)/cgi.so: $(CODECS)
# What several bindings are made of is a part of each.
$(patsubst %,$(BUILD)/%.so,fastcgi cgi files php): $(call objects,bindings/common)
$(BUILD)/files.so: $(patsubst %,$(BUILD)/protocols/%.o,http_date http_conditions \
	http_ranges http_coding mime buffer arena)

define LINK_BINDING
$(call say,LINK,$@)
$(Q)$(CC) $(CFLAGS) $(OWN_CFLAGS) $(LDFLAGS) $(OWN_LDFLAGS) -shared -o $@ $^ \
	$(BINDING_LIBS) $(LDLIBS)
endef

.SECONDEXPANSION:
$(filter-out %/luajit.so,$(BINDING_FILES)): $(BUILD)/%.so: $$(call objects,bindings/%)
	$(call LINK_BINDING)
$(BUILD)/luajit.so: $$(patsubst bindings/lua/%.c,$(BUILD)/bindings/luajit/%.o,$$(wildcard \
		bindings/lua/*.c))
	$(call LINK_BINDING)

$(DEMO_FILES) $(TEST_FILES): $(BUILD)/apps/%.so: \
		$$(wildcard conf.d/demo/%.c tests/apps/%.c) gateway/alicorn.h
	$(call say,APP,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -std=c17 -D_GNU_SOURCE -Wall -Wextra -Igateway -fPIC -shared \
		$(OWN_LDFLAGS) -o $@ $<

# The page is a part of the program.
$(BUILD)/gateway/worker/status_page.o: gateway/worker/status_page.html

# The library of messages, alone: nothing else of the server is linked.
$(EXAMPLES): %: %.o $(BUILD)/examples/imsg/talk.o \
		$(patsubst %,$(BUILD)/protocols/%.o,imsg buffer)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_CFLAGS) $(LDFLAGS) $(OWN_LDFLAGS) -o $@ $^ $(LDLIBS)

$(patsubst %.so,%.o,$(EXAMPLE_APPS)) $(BUILD)/examples/websocket/%.o \
	$(BUILD)/tests/unit/test_websocket.o: OWN_CPPFLAGS += -Igateway
$(filter %/echo.so %/chat.so,$(EXAMPLE_APPS)): $(WEBSOCKET)
$(BUILD)/examples/binding/javascript.so: BINDING_LIBS = $(DUKTAPE_LIBS)
$(EXAMPLE_APPS): %.so: %.o
	$(call LINK_BINDING)

$(BUILD)/unit: $(UNIT_TESTS) $(filter-out $(BUILD)/gateway/main.o,$(GATEWAY)) \
		$(BUILD)/bindings/cgi/head.o $(BUILD)/bindings/files/path.o \
		$(patsubst %,$(BUILD)/bindings/common/%.o,beneath request_path) \
		$(filter-out %/hub.o %/peer.o,$(WEBSOCKET)) $(PROTOCOLS) $(LLHTTP_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_CFLAGS) $(LDFLAGS) $(OWN_LDFLAGS) -rdynamic -o $@ $^ \
		$$(pkg-config --libs check) $(CONFIG_LIBS) $(LLHTTP_LIBS) -ldl $(LDLIBS)

$(FUZZERS): $(BUILD)/fuzz/%: tests/fuzz/entry.c $(BUILD)/tests/fuzz/%.o \
		$(call objects,gateway/config gateway/routes) $(PROTOCOLS) $(LLHTTP_OBJECTS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -I. $(CFLAGS) $(OWN_CFLAGS) -fsanitize=fuzzer -DFUZZ=fuzz_$* \
		$(LDFLAGS) -o $@ $^ $(CONFIG_LIBS) $(LLHTTP_LIBS) $(LDLIBS)

$(BUILD)/bench-routes: $(BUILD)/tests/bench/routes.o $(call objects,gateway/routes \
		gateway/config) $(PROTOCOLS) $(LLHTTP_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_CFLAGS) $(LDFLAGS) $(OWN_LDFLAGS) -o $@ $^ \
		$(CONFIG_LIBS) $(LLHTTP_LIBS) $(LDLIBS)

$(BUILD)/bench-openloop: $(BUILD)/tests/bench/openloop.o
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_CFLAGS) $(LDFLAGS) $(OWN_LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/settings: $(BUILD)/docs/settings.o $(call objects,gateway/config) \
		$(PROTOCOLS) $(LLHTTP_OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(OWN_CFLAGS) $(LDFLAGS) $(OWN_LDFLAGS) -o $@ $^ \
		$(CONFIG_LIBS) $(LLHTTP_LIBS) $(LDLIBS)

$(BUILD)/%.o: %.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(OWN_CPPFLAGS) $(CFLAGS) $(OWN_CFLAGS) -c -o $@ $<

$(BUILD)/bindings/luajit/%.o: bindings/lua/%.c
	$(call say,CC,"$< (LuaJIT)")
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(OWN_CPPFLAGS) $(CFLAGS) $(OWN_CFLAGS) -c -o $@ $<

$(BUILD)/llhttp/%.o: /usr/share/llhttp/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) -fPIC -fvisibility=hidden -w $(LLHTTP_CFLAGS) -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# ---- To run, test and measure. What was installed changes what is built, so these begin
# make anew.

DEPS = @.ci/deps
AGAIN = +@$(MAKE) --no-print-directory

run:
	$(DEPS) build languages
	$(AGAIN) all
	@conf.d/demo/run $(BUILD)/alicorn

test check-unit check-e2e:
	$(DEPS) build languages tests
	$(AGAIN) test-files
	@ALICORN=$(BUILD)/alicorn SANITIZE=$(SANITIZE) tests/run $(patsubst check-%,%,$(@:test=))

test-files: all $(BUILD)/unit $(TEST_FILES) $(EXAMPLES) $(EXAMPLE_APPS)

# What threads share: with SANITIZE=thread.
check-threads:
	$(DEPS) build tests
	$(AGAIN) $(addprefix $(BUILD)/,alicorn c.so cgi.so files.so) $(TEST_FILES)
	@ALICORN=$(BUILD)/alicorn SANITIZE=$(SANITIZE) tests/run e2e -- \
		tests/e2e/test_handoff.py tests/e2e/test_routes.py

fuzz:
	$(DEPS) build clang
	$(AGAIN) CC=clang BUILD=$(BUILD)-fuzz SANITIZE=address,undefined \
		CFLAGS='-O1 -g -fsanitize=fuzzer-no-link,address' fuzzers
	@tests/fuzz/run $(BUILD)-fuzz $(FUZZ)

fuzzers: $(FUZZERS)

bench:
	$(DEPS) build languages bench
	$(AGAIN) all $(TEST_FILES) $(BUILD)/bench-routes $(BUILD)/bench-openloop
	@ALICORN=$(BUILD)/alicorn tests/bench/bench $(if $(BENCH),--$(BENCH)) $(BENCH_FLAGS)

# Instructions of a request beside those of tests/bench/instructions.json.
bench-quick:
	$(DEPS) build languages guard
	$(AGAIN) all $(TEST_FILES)
	@ALICORN=$(BUILD)/alicorn tests/bench/instructions $(BENCH_FLAGS)

deps:
	$(DEPS) build languages tests bench

# ---- To install: MODE:FROM:TO, each. uninstall removes the same files.

DEST = $(DESTDIR)$(PREFIX)
INSTALLED = 755:$(BUILD)/alicorn:bin/alicorn 755:$(BUILD)/alicorn-fcgi:bin/alicorn-fcgi \
	755:$(BUILD)/alicornctl:bin/alicornctl \
	$(foreach c,$(notdir $(wildcard completions/bash/*)),644:completions/bash/$(c):share/bash-completion/completions/$(c)) \
	$(foreach c,$(notdir $(wildcard completions/zsh/*)),644:completions/zsh/$(c):share/zsh/site-functions/$(c)) \
	644:gateway/alicorn.h:include/alicorn.h \
	644:gateway/alicorn-hooks.h:include/alicorn-hooks.h \
	644:gateway/alicorn-worker.h:include/alicorn-worker.h \
	644:$(BUILD)/alicorn.pc:share/pkgconfig/alicorn.pc \
	644:bindings/python/alicorn.pyi:share/alicorn/python/alicorn.pyi \
	644:$(BUILD)/alicorn.service:lib/systemd/system/alicorn.service \
	644:systemd/alicorn.socket:lib/systemd/system/alicorn.socket \
	644:$(BUILD)/welcome.conf:share/alicorn/welcome.conf \
	644:systemd/welcome.html:share/alicorn/welcome/index.html \
	755:tools/alicorn-convert:bin/alicorn-convert $(foreach \
	m,$(wildcard tools/alicorn_convert/*.py),644:$(m):lib/alicorn/$(m:tools/%=%)) \
	$(foreach b,$(BINDINGS),644:$(BUILD)/$(b).so:lib/alicorn/$(b).so) \
	$(foreach m,$(wildcard docs/*.[1-8]),644:$(m):share/man/man$(subst .,,$(suffix \
		$(m)))/$(notdir $(m))) \
	$(shell find conf.d -type f -not -name '*.pyc' -not -path '*/run' -printf '%m:%p:share/alicorn/%p ')
each_installed = @set -e; for row in $(INSTALLED); do \
	IFS=: read -r mode from to <<<"$$row"; $(1); done

$(BUILD)/alicorn.pc: Makefile
	@printf '%s\n' 'Name: alicorn' 'Version: $(VERSION)' \
		'Description: The interface of the application server to what it runs' \
		'Cflags: -I$(PREFIX)/include' 'bindingdir=$(PREFIX)/lib/alicorn' >$@

$(BUILD)/alicorn.service $(BUILD)/welcome.conf: $(BUILD)/%: systemd/% Makefile
	@sed 's,/usr/local,$(PREFIX),' $< >$@

install: all $(BUILD)/alicorn.pc $(BUILD)/alicorn.service $(BUILD)/welcome.conf
	$(call each_installed,install -v -D -m $$mode $$from "$(DEST)/$$to")

uninstall:
	$(call each_installed,rm -vf "$(DEST)/$$to")
	@find "$(DEST)/lib/alicorn" "$(DEST)/share/alicorn" -type d -empty -delete

# Of a copy, since packages are put beside the folder that they are built in.
deb:
	$(DEPS) build languages deb
	@rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb/alicorn-$(VERSION)
	@tar -c --exclude='./build*' --exclude=./.git --exclude=__pycache__ . | \
		tar -x -C $(BUILD)/deb/alicorn-$(VERSION)
	cd $(BUILD)/deb/alicorn-$(VERSION) && dpkg-buildpackage -us -uc -b
	@rm -rf $(BUILD)/deb/alicorn-$(VERSION) && ls $(BUILD)/deb/*.deb

# The settings in alicorn.conf(5), from settings.def: what stands between two comments.
manual: $(BUILD)/settings
	$< >$(BUILD)/settings.mdoc
	sed -i -e '/^\.\\" make manual/,/^\.\\" end/{//!d}' \
		-e '/^\.\\" make manual/r $(BUILD)/settings.mdoc' docs/alicorn.conf.5

format:
	clang-format -i $(shell tests/checks/format --list)

clean:
	rm -rf build build-*

.PHONY: all run manual test test-files check-unit check-e2e check-threads fuzz fuzzers bench bench-quick deps install uninstall deb format clean
.DELETE_ON_ERROR:
