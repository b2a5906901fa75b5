# telco_ledger: a ledger for telecom operators, kept by each in its own PostgreSQL
#
#	make, make install, make installcheck		as in every PGXS extension
#	make demo									the main job, end to end
#	make test									every test
#
# The objects stand in the order of the floors (src/README.md), the SQL modules
# in the order in which they are installed.

MODULE_big = telco_ledger
EXTENSION = telco_ledger
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" telco_ledger.control)

OBJS_PURE = \
	src/base/tl_status.o \
	src/base/tl_wire.o \
	src/crypto/crypto_hash.o \
	src/crypto/crypto_curve.o \
	src/merkle/merkle_hash.o \
	src/merkle/merkle_range.o \
	src/merkle/merkle_proof.o \
	src/consensus/consensus_message.o \
	src/consensus/consensus_certificate.o \
	src/table/table_row.o \
	src/chain/chain_section.o \
	src/chain/chain_batch.o \
	src/chain/chain_member.o \
	src/chain/chain_block.o \
	src/chain/chain_genesis.o \
	src/chain/chain_manifest.o \
	src/chain/chain_history.o

OBJS_BACKEND = \
	src/base/tl_error.o \
	src/crypto/crypto_sql.o \
	src/merkle/merkle_sql.o

OBJS = $(OBJS_PURE) $(OBJS_BACKEND)

SQL_MODULES = \
	sql/00_preamble.sql \
	sql/10_crypto.sql \
	sql/20_merkle.sql

DATA_built = sql/telco_ledger--$(EXTVERSION).sql
EXTRA_CLEAN = sql/telco_ledger--$(EXTVERSION).sql

PG_CPPFLAGS = -Isrc/base -Isrc/crypto -Isrc/merkle -Isrc/consensus -Isrc/table -Isrc/chain -Isrc/proof -Isrc/node
PG_CFLAGS = -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = -lsecp256k1 -lcrypto

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

sql/telco_ledger--$(EXTVERSION).sql: $(SQL_MODULES)
	cat $(SQL_MODULES) > $@
