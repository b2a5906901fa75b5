/*-------------------------------------------------------------------------
 *
 * chain_statement.c
 *	  SQL statements of the library's own, planned once per backend.
 *
 * Caller has connected SPI and runs as somebody who may do what the statement
 * does, with a search_path that is the library's own.  What a literal means is settled
 * here, since it is read when a statement is planned, in whatever session that is.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/printtup.h"
#include "nodes/params.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/palloc.h"

#include "chain_statement.h"
#include "table_ref.h"
#include "tl_compat.h"

/* Takes rows as SPI does, until those together have so many bytes. */
typedef struct BoundedReceiver
{
	DestReceiver base;
	int			column;
	size_t		size;
	size_t		size_max;
} BoundedReceiver;

static uint64 processed(const TlStatement *statement, int result, MemoryContext context);
static ParamListInfo parameters_of(const TlStatement *statement, const Datum *values);
static bool take_row(TupleTableSlot *slot, DestReceiver *receiver);
static void on_receiver_end(DestReceiver *receiver);
static SPIPlanPtr prepare(const TlStatement *statement);

/* Run a statement to its end; the number of rows processed or returned. */
uint64
tl_chain_execute(TlStatement *statement, const Datum *values,
				 const char *nulls, bool read_only)
{
	MemoryContext context = CurrentMemoryContext;

	if (statement->plan == NULL)
		statement->plan = prepare(statement);
	return processed(statement,
					 SPI_execute_plan(statement->plan, unconstify(Datum *, values), nulls, read_only, 0),
					 context);
}

/*
 * Read until all rows are there, or the values of that column (from 0) have so many
 * bytes together: a single row may be larger.  To count them in SQL, by a window,
 * costs more than to read a few rows.
 */
uint64
tl_chain_execute_until(TlStatement *statement, const Datum *values, bool read_only,
					   int column, size_t size_max)
{
	MemoryContext context = CurrentMemoryContext;
	BoundedReceiver receiver = {
		.base = {take_row, spi_dest_startup, on_receiver_end, on_receiver_end, DestNone},
		.column = column,.size_max = size_max
	};
	SPIExecuteOptions options = {.read_only = read_only,.dest = &receiver.base};

	if (statement->plan == NULL)
		statement->plan = prepare(statement);
	options.params = parameters_of(statement, values);
	(void) processed(statement, SPI_execute_plan_extended(statement->plan, &options), context);
	return SPI_tuptable->numvals;
}

/* SPI leaves its own context behind, which ends with SPI_finish. */
static uint64
processed(const TlStatement *statement, int result, MemoryContext context)
{
	MemoryContextSwitchTo(context);
	if (result < 0)
		elog(ERROR, "could not run \"%s\": %s", statement->text,
			 SPI_result_code_string(result));
	return SPI_processed;
}

static ParamListInfo
parameters_of(const TlStatement *statement, const Datum *values)
{
	ParamListInfo parameters = makeParamList(statement->argument_count);

	for (int i = 0; i < statement->argument_count; i++)
		parameters->params[i] = (ParamExternData)
		{
			.value = values[i],.pflags = PARAM_FLAG_CONST,
			.ptype = statement->types[i] == TL_STATEMENT_REF ? tl_table_ref_type() : statement->types[i]
		};
	return parameters;
}

static bool
take_row(TupleTableSlot *slot, DestReceiver *receiver)
{
	BoundedReceiver *bounded = (BoundedReceiver *) receiver;
	bool		is_null;
	Datum		value = slot_getattr(slot, bounded->column + 1, &is_null);

	if (!is_null)
		bounded->size += toast_raw_datum_size(value) - VARHDRSZ;
	return spi_printtup(slot, receiver) && bounded->size < bounded->size_max;
}

static void
on_receiver_end(DestReceiver *receiver)
{
}

static SPIPlanPtr
prepare(const TlStatement *statement)
{
	Oid			types[TL_STATEMENT_ARGUMENTS_MAX];
	int			level = tl_chain_settle();
	SPIPlanPtr	plan;

	Assert(statement->argument_count <= TL_STATEMENT_ARGUMENTS_MAX);
	for (int i = 0; i < statement->argument_count; i++)
		types[i] = statement->types[i] == TL_STATEMENT_REF ?
			tl_table_ref_type() : statement->types[i];
	plan = SPI_prepare(statement->text, statement->argument_count, types);
	AtEOXact_GUC(true, level);
	if (plan == NULL || SPI_keepplan(plan) != 0)
		elog(ERROR, "could not plan \"%s\": %s", statement->text,
			 SPI_result_code_string(SPI_result));
	return plan;
}

/* Literals are read as the standard has them, until the level of settings that is returned ends. */
int
tl_chain_settle(void)
{
	int			level = NewGUCNestLevel();

	(void) set_config_option("standard_conforming_strings", "on", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

/* A value of the last result; row and column from 0. */
Datum
tl_chain_result(uint64 row, int column, bool *is_null)
{
	bool		null_here;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row],
									  SPI_tuptable->tupdesc, column + 1,
									  &null_here);

	if (is_null != NULL)
		*is_null = null_here;
	else if (null_here)
		elog(ERROR, "unexpected null in column %d of the stored chain", column);
	return value;
}

/* Bytes of the last result, where they stay until SPI_finish. */
TlSpan
tl_chain_result_span(uint64 row, int column)
{
	return tl_chain_span(tl_chain_result(row, column, NULL));
}

/* The bytes of a bytea value. */
TlSpan
tl_chain_span(Datum value)
{
	bytea	   *bytes = DatumGetByteaPP(value);
	TlSpan		span = {(const uint8_t *) VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes)};

	return span;
}

/* A bytea value. */
Datum
tl_chain_bytes(const void *data, size_t size)
{
	bytea	   *value = palloc(VARHDRSZ + size);

	SET_VARSIZE(value, VARHDRSZ + size);
	memcpy(VARDATA(value), data, size);
	return PointerGetDatum(value);
}
