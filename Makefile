# telco_ledger: a ledger for telecom operators, kept by each in its own PostgreSQL
#
#	make, make install, make installcheck		as in every PGXS extension
#	make demo									the main job, end to end
#	make test									every test, on a server of its own
#	make tidy									only the checks of the source
#	make sim SEED=n STEPS=n NODES=n				one run of the simulator of consensus
#	make sim SCENARIO=name						one of its scenarios; SCENARIO=list; it takes
#												all that the line of a failure says
#	make soak MINUTES=n							load and crashes, and verify
#	make bench									figures against public yardsticks
#
# PG_CONFIG=/usr/lib/postgresql/N/bin/pg_config chooses the server.  demo,
# test, tidy, soak and bench install the Debian packages that are missing; installcheck needs a
# running server with shared_preload_libraries = 'telco_ledger'.
#
# The objects stand in the order of the floors (src/README.md), the SQL modules
# in the order in which they are installed.

MODULE_big = telco_ledger
EXTENSION = telco_ledger
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" telco_ledger.control)

OBJS_PURE = \
	src/base/tl_status.o \
	src/base/tl_wire.o \
	src/crypto/crypto_hash.o \
	src/crypto/crypto_curve.o \
	src/crypto/crypto_set_hash.o \
	src/merkle/merkle_hash.o \
	src/merkle/merkle_range.o \
	src/merkle/merkle_proof.o \
	src/merkle/merkle_cover.o \
	src/consensus/chain_batch.o \
	src/consensus/chain_member.o \
	src/consensus/chain_block.o \
	src/consensus/consensus_message.o \
	src/consensus/consensus_certificate.o \
	src/consensus/consensus_evidence.o \
	src/consensus/consensus_reply.o \
	src/consensus/consensus_rejoin.o \
	src/consensus/consensus_payload.o \
	src/consensus/consensus_arena.o \
	src/consensus/consensus_tally.o \
	src/consensus/consensus_batch.o \
	src/consensus/consensus_busy.o \
	src/consensus/consensus_lane.o \
	src/consensus/consensus_summary.o \
	src/consensus/consensus_cut.o \
	src/consensus/consensus_due.o \
	src/consensus/consensus_tip.o \
	src/consensus/consensus_offer.o \
	src/consensus/consensus_take.o \
	src/consensus/consensus_hop.o \
	src/consensus/consensus_active.o \
	src/consensus/consensus_relay.o \
	src/consensus/consensus_ack.o \
	src/consensus/consensus_checkpoint.o \
	src/consensus/consensus_proposal.o \
	src/consensus/consensus_vote.o \
	src/consensus/consensus_pace.o \
	src/consensus/consensus_final.o \
	src/consensus/consensus_judge.o \
	src/consensus/consensus_recover.o \
	src/consensus/consensus_answer.o \
	src/consensus/consensus_accuse.o \
	src/consensus/consensus_legal.o \
	src/consensus/consensus_govern.o \
	src/consensus/consensus_epoch.o \
	src/consensus/consensus_approval.o \
	src/consensus/consensus_restart.o \
	src/consensus/consensus_entry.o \
	src/consensus/consensus_core.o \
	src/table/table_json.o \
	src/table/table_row.o \
	src/table/table_signature.o \
	src/chain/chain_section.o \
	src/chain/chain_genesis.o \
	src/chain/chain_alone.o \
	src/chain/chain_restart.o \
	src/chain/chain_manifest.o \
	src/chain/chain_history.o \
	src/chain/chain_state.o \
	src/proof/proof_text.o \
	src/proof/proof_definition.o \
	src/proof/proof_checkpoint.o \
	src/proof/proof_epoch.o \
	src/proof/proof_outcome.o \
	src/proof/proof_step.o \
	src/proof/proof_check.o \
	src/proof/proof_json.o \
	src/proof/proof_bundle.o \
	src/proof/proof_show.o

OBJS_BACKEND = \
	src/base/tl_error.o \
	src/base/tl_attempt.o \
	src/crypto/crypto_sql.o \
	src/crypto/crypto_set_sql.o \
	src/merkle/merkle_sql.o \
	src/table/table_ref.o \
	src/table/table_catalog.o \
	src/table/table_contract.o \
	src/table/table_index.o \
	src/table/table_type.o \
	src/table/table_value.o \
	src/table/table_value_sql.o \
	src/table/table_encode.o \
	src/table/table_decode.o \
	src/table/table_fit.o \
	src/table/table_scan.o \
	src/table/table_issue.o \
	src/table/table_written.o \
	src/table/table_build.o \
	src/table/table_definition.o \
	src/table/table_requirement_stored.o \
	src/table/table_requirement.o \
	src/table/table_message.o \
	src/table/table_trigger.o \
	src/table/table_create.o \
	src/table/table_access.o \
	src/table/table_recheck.o \
	src/table/table_alter.o \
	src/table/table_guard.o \
	src/table/table_am.o \
	src/table/table_state.o \
	src/table/table_image.o \
	src/table/table_filter.o \
	src/table/table_shared.o \
	src/table/table_insert.o \
	src/table/table_ref_insert.o \
	src/chain/chain_snapshot.o \
	src/chain/chain_progress.o \
	src/chain/chain_statement.o \
	src/chain/chain_begin.o \
	src/chain/chain_collect.o \
	src/chain/chain_reject.o \
	src/chain/chain_writer.o \
	src/chain/chain_build.o \
	src/chain/chain_store.o \
	src/chain/chain_stored.o \
	src/chain/chain_rows.o \
	src/chain/chain_pending.o \
	src/chain/chain_window.o \
	src/chain/chain_lookup.o \
	src/chain/chain_applied.o \
	src/chain/chain_state_store.o \
	src/chain/chain_foreign.o \
	src/proof/proof_jsonb.o \
	src/proof/proof_section.o \
	src/proof/proof_source.o \
	src/proof/proof_source_epoch.o \
	src/proof/proof_source_outcome.o \
	src/proof/proof_row.o \
	src/proof/proof_receipt.o \
	src/proof/proof_asked.o \
	src/proof/proof_receipts.o \
	src/proof/proof_verdict.o \
	src/proof/proof_progress.o \
	src/proof/proof_verify_cursor.o \
	src/proof/proof_verify_sort.o \
	src/proof/proof_verify_known.o \
	src/proof/proof_verify_snapshot.o \
	src/proof/proof_verify_batch.o \
	src/proof/proof_verify_log.o \
	src/proof/proof_verify_chain.o \
	src/proof/proof_verify_members.o \
	src/proof/proof_verify_quorum.o \
	src/proof/proof_verify_definition.o \
	src/proof/proof_verify_section.o \
	src/proof/proof_verify_gather.o \
	src/proof/proof_verify_walk.o \
	src/proof/proof_verify_sweep.o \
	src/proof/proof_verify_foreign.o \
	src/proof/proof_verify_foreign_batch.o \
	src/proof/proof_verify_rows.o \
	src/proof/proof_verify_blocks.o \
	src/proof/proof_state.o \
	src/proof/proof_verify_state.o \
	src/proof/proof_verify_event.o \
	src/proof/proof_verify.o \
	src/proof/proof_scrub.o \
	src/proof/proof_steps.o \
	src/replication/replication_own_log.o \
	src/replication/replication_connection.o \
	src/replication/replication_setting.o \
	src/replication/replication_peer.o \
	src/replication/replication_key.o \
	src/replication/replication_status.o \
	src/replication/replication_store.o \
	src/replication/replication_send.o \
	src/replication/replication_arrival.o \
	src/replication/replication_fetch.o \
	src/replication/replication_chunk.o \
	src/replication/replication_gap.o \
	src/replication/replication_copy.o \
	src/replication/replication_body.o \
	src/replication/replication_mark.o \
	src/replication/replication_prune.o \
	src/replication/replication_trim.o \
	src/replication/replication_forget.o \
	src/replication/replication_want.o \
	src/replication/replication_request.o \
	src/replication/replication_offer.o \
	src/replication/replication_piece.o \
	src/replication/replication_signature.o \
	src/replication/replication_link.o \
	src/replication/replication_wire.o \
	src/replication/replication_sql.o \
	src/contract/contract_refusal.o \
	src/contract/contract_words.o \
	src/contract/contract_words_table.o \
	src/contract/contract_expression.o \
	src/contract/contract_view.o \
	src/contract/contract_setting.o \
	src/contract/contract_stale.o \
	src/contract/contract_plpgsql.o \
	src/contract/contract_group.o \
	src/contract/contract_query.o \
	src/contract/contract_raise.o \
	src/contract/contract_join.o \
	src/contract/contract_work.o \
	src/contract/contract_variable.o \
	src/contract/contract_body.o \
	src/contract/contract_meter.o \
	src/contract/contract_function.o \
	src/contract/contract_made.o \
	src/contract/contract_names.o \
	src/contract/contract_number.o \
	src/contract/contract_change.o \
	src/contract/contract_again.o \
	src/contract/contract_migrate.o \
	src/contract/contract_run.o \
	src/contract/contract_deploy.o \
	src/contract/contract_entry.o \
	src/contract/contract_timer_handler.o \
	src/contract/contract_timer.o \
	src/contract/contract_event.o \
	src/contract/contract_plan.o \
	src/contract/contract_constraint.o \
	src/contract/contract_planner.o \
	src/contract/contract_argument.o \
	src/contract/contract_seen.o \
	src/contract/contract_execute.o \
	src/node/node_settings.o \
	src/node/node_settle.o \
	src/node/node_shared.o \
	src/node/node_key.o \
	src/node/node_mark.o \
	src/node/node_identity.o \
	src/node/node_body.o \
	src/node/node_rebuild.o \
	src/node/node_prune.o \
	src/node/node_block.o \
	src/node/node_round.o \
	src/node/node_apply_batch.o \
	src/node/node_apply.o \
	src/node/node_state.o \
	src/node/node_skip.o \
	src/node/node_stand.o \
	src/node/node_event.o \
	src/node/node_image.o \
	src/node/node_as_of.o \
	src/node/node_show.o \
	src/node/node_take.o \
	src/node/node_replace.o \
	src/node/node_call.o \
	src/node/node_deploy.o \
	src/node/node_process.o \
	src/node/node_scrub.o \
	src/node/node_order_store.o \
	src/node/node_order_alone.o \
	src/node/node_order_begin.o \
	src/node/node_order_log.o \
	src/node/node_order_submit.o \
	src/node/node_order_summary.o \
	src/node/node_order_busy.o \
	src/node/node_order_checkpoint.o \
	src/node/node_order_rejoin.o \
	src/node/node_order_offer.o \
	src/node/node_order_batch.o \
	src/node/node_order_epoch.o \
	src/node/node_order_decision.o \
	src/node/node_member.o \
	src/node/node_member_key.o \
	src/node/node_order.o \
	src/node/node_wire.o \
	src/node/node_worker.o \
	src/node/node_launcher.o \
	src/node/node_commit.o \
	src/node/node_execute.o \
	src/node/node_finality.o \
	src/node/node_status.o \
	src/node/node_create.o \
	src/node/node_restart.o \
	src/node/node_dispose.o \
	src/node/node_rejoin.o \
	src/telco_ledger.o

OBJS = $(OBJS_PURE) $(OBJS_BACKEND)

SQL_MODULES = \
	sql/00_preamble.sql \
	sql/10_crypto.sql \
	sql/20_merkle.sql \
	sql/30_table.sql \
	sql/35_signature.sql \
	sql/36_shared.sql \
	sql/40_chain.sql \
	sql/45_reject.sql \
	sql/46_state.sql \
	sql/50_proof.sql \
	sql/51_verify.sql \
	sql/70_replication.sql \
	sql/71_wire.sql \
	sql/80_contract.sql \
	sql/90_node.sql \
	sql/91_order.sql \
	sql/92_member.sql \
	sql/93_rejoin.sql \
	sql/94_key.sql \
	sql/94_restart.sql \
	sql/95_deploy.sql \
	sql/96_call.sql \
	sql/97_timer.sql \
	sql/98_skip.sql \
	sql/98_event.sql \
	sql/98_as_of.sql \
	sql/98_take.sql \
	sql/99_grants.sql

DATA = $(wildcard sql/upgrade/*.sql)
DATA_built = sql/telco_ledger--$(EXTVERSION).sql
EXTRA_CLEAN = sql/telco_ledger--$(EXTVERSION).sql src/.built_for

PG_CPPFLAGS = -Isrc/base -Isrc/crypto -Isrc/merkle -Isrc/consensus -Isrc/table -Isrc/chain -Isrc/proof -Isrc/replication -Isrc/contract -Isrc/node -I$(libpq_srcdir)
# Calls from one file of ours to another go there directly: nobody replaces our
# functions by others of the same name.
PG_CFLAGS = -fno-semantic-interposition -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
SHLIB_LINK = -lsecp256k1 -lcrypto $(libpq) -Wl,-Bsymbolic

# Every file of test/sql and test/specs stands here, in the order of the floors.
REGRESS = crypto merkle table_allow table_refuse table_recheck table_partition table_types table_value table_test_ledger table_signature chain_reject proof_receipt proof_receipts proof_verify contract_check contract_function contract_plpgsql contract_number contract_xml contract_timer finality node_restore node_views

ISOLATION = table_conflict finality_open

PROVE_TESTS := $(sort $(wildcard test/t/*.pl))
TAP_TESTS := $(if $(PROVE_TESTS),1)

REGRESS_OPTS = --inputdir=test --load-extension=pgcrypto --load-extension=telco_ledger
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=pgcrypto --load-extension=telco_ledger
REGRESS_PREP = $(if $(strip $(REGRESS) $(ISOLATION)),preloaded)

PG_CONFIG ?= pg_config
ifeq ($(strip $(PG_CONFIG)),)
$(error PG_CONFIG is empty: leave it out, or name a pg_config)
endif
PG_HEADER := $(wildcard $(shell $(PG_CONFIG) --includedir-server 2>/dev/null)/postgres.h)
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)

ifneq ($(PG_HEADER),)
include $(PGXS)

# PGXS in Debian follows no headers, and objects made for another server are
# stale: src/.built_for names the server they were made for.
BUILT_FOR := $(shell cd src 2>/dev/null && { echo '$(bindir) $(VERSION)' | cmp -s - .built_for || \
	echo '$(bindir) $(VERSION)' >.built_for; })
$(OBJS) $(OBJS:.o=.bc): Makefile src/.built_for $(wildcard src/*/*.h)

sql/telco_ledger--$(EXTVERSION).sql: $(SQL_MODULES) telco_ledger.control
	cat $(SQL_MODULES) > $@
else
all install uninstall installcheck clean:
	@echo 'error: $(PG_CONFIG) does not lead to a PostgreSQL with its development files' >&2
	@echo 'Install them (Debian: postgresql-server-dev-15) or name another with PG_CONFIG=.' >&2
	@echo 'make test and make demo install what is missing.' >&2
	@exit 1
endif

.DELETE_ON_ERROR:
.PHONY: all install uninstall installcheck clean preloaded test demo tidy sim soak bench
.DEFAULT_GOAL := all

# Is the server that installcheck will use one that has loaded the library?
preloaded:
	@PSQL='$(bindir)/psql' test/run/preloaded

# The recipes name what they hand on, so that it also counts when given to make.
test soak bench:
	@PG_CONFIG='$(PG_CONFIG)' MINUTES='$(MINUTES)' test/run/$@

demo:
	@PG_CONFIG='$(PG_CONFIG)' test/run/demo
	@PG_CONFIG='$(PG_CONFIG)' test/run/demo_operators

sim:
	@$(MAKE) -s -C test/sim run

tidy:
	@PG_CONFIG='$(PG_CONFIG)' test/tidy/run
