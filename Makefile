# moeplan. `make run` and `make test` set up what they need on a fresh Debian 12.
#
# BUILD    where objects go (default build); SAN=address | thread builds with sanitizers
# PREFIX   where `make install` puts the binary

BUILD  ?= build
SAN    ?=
CC     ?= gcc
PYTHON ?= /usr/bin/python3
PREFIX ?= /usr/local

WARN   := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla -Wmissing-prototypes
CFLAGS ?= -O2 -g
STD    := -std=c17 -D_GNU_SOURCE -I.
ifeq ($(SAN),address)
  SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
else ifeq ($(SAN),thread)
  SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer -O1
endif
ifeq ($(CI),true)
  WARN += -Werror
endif
ALL_CFLAGS := $(STD) $(WARN) $(CFLAGS) $(SANFLAGS) -ffp-contract=off -MMD -MP
LDFLAGS += $(SANFLAGS) -pthread

CORE_LIBS   := -lgsl -lgslcblas -lm
DB_LIBS     := -lsqlite3 -lnettle
SERVER_LIBS := -lcjson -lz
HTTP_LIBS   := -lmicrohttpd

# server/http.c and server/main.c alone know libmicrohttpd and the process; the rest of server/ is
# plain functions that tests link without it.
SHELL_SRC  := server/http.c server/main.c
CORE_SRC   := $(wildcard core/*.c)
DB_SRC     := $(wildcard db/*.c)
SERVER_SRC := $(filter-out $(SHELL_SRC),$(wildcard server/*.c))

obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))

.PHONY: all
all: $(BUILD)/moeplan

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

$(BUILD)/core.a: $(call obj,$(CORE_SRC))
$(BUILD)/db.a: $(call obj,$(DB_SRC))
$(BUILD)/server.a: $(call obj,$(SERVER_SRC))
$(BUILD)/%.a:
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/moeplan: $(call obj,$(SHELL_SRC)) $(BUILD)/server.a $(BUILD)/db.a $(BUILD)/core.a
	$(CC) $(LDFLAGS) -o $@ $^ $(HTTP_LIBS) $(SERVER_LIBS) $(DB_LIBS) $(CORE_LIBS)

# Unit tests: the libraries each layer may link are named here, so the linker proves the layering.
UNIT_SRC := $(wildcard tests/unit/*/*_test.c)
UNIT     := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(UNIT_SRC))

$(BUILD)/tests/core/%: $(BUILD)/obj/tests/unit/core/%.o $(BUILD)/core.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(CORE_LIBS) -lcmocka
$(BUILD)/tests/db/%: $(BUILD)/obj/tests/unit/db/%.o $(BUILD)/db.a $(BUILD)/core.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(DB_LIBS) $(CORE_LIBS) -lcmocka
$(BUILD)/tests/server/%: $(BUILD)/obj/tests/unit/server/%.o $(BUILD)/server.a $(BUILD)/db.a $(BUILD)/core.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(SERVER_LIBS) $(DB_LIBS) $(CORE_LIBS) -lcmocka

.PHONY: units clean
units: $(UNIT)
.SECONDARY:

clean:
	rm -rf build

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
