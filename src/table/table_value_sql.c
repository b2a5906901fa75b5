/*-------------------------------------------------------------------------
 *
 * table_value_sql.c
 *	  The bytes of values and the tags of types, shown in SQL.
 *
 * For whoever writes a second implementation, or signs what a row will say:
 * the same code encodes rows.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "table_type.h"
#include "table_value.h"
#include "tl_error.h"

PG_FUNCTION_INFO_V1(tl_encode_value);
PG_FUNCTION_INFO_V1(tl_decode_value);
PG_FUNCTION_INFO_V1(tl_type_tag);

static void require_supported(Oid type);

/* ledger.encode_value(value anyelement) -> bytea */
Datum
tl_encode_value(PG_FUNCTION_ARGS)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 0);
	TlValueEncoder *encoder = fcinfo->flinfo->fn_extra;
	StringInfoData bytes;

	if (encoder == NULL)
	{
		if (!OidIsValid(type))
			elog(ERROR, "could not determine the type of the value");
		require_supported(type);
		encoder = tl_table_type_encoder(type, fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = encoder;
	}
	initStringInfo(&bytes);
	tl_table_type_append(&bytes, encoder, PG_GETARG_DATUM(0));
	PG_RETURN_BYTEA_P(cstring_to_text_with_len(bytes.data, bytes.len));
}

/* ledger_internal.decode_value(bytes bytea, type anyelement) -> anyelement */
Datum
tl_decode_value(PG_FUNCTION_ARGS)
{
	Oid			type = get_fn_expr_argtype(fcinfo->flinfo, 1);
	bytea	   *bytes;
	TlSpan		span;

	if (!OidIsValid(type))
		elog(ERROR, "could not determine the type of the value");
	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	require_supported(type);
	bytes = PG_GETARG_BYTEA_PP(0);
	span.data = (const uint8_t *) VARDATA_ANY(bytes);
	span.size = VARSIZE_ANY_EXHDR(bytes);
	PG_RETURN_DATUM(tl_table_value_decode(tl_table_type_encoder(type, CurrentMemoryContext),
										  span));
}

/* ledger.type_tag(type regtype) -> bigint */
Datum
tl_type_tag(PG_FUNCTION_ARGS)
{
	Oid			type = PG_GETARG_OID(0);

	require_supported(type);
	PG_RETURN_INT64((int64) tl_table_type_tag(type));
}

static void
require_supported(Oid type)
{
	char	   *reason;

	if (!tl_table_type_supported(type, &reason))
		ereport(ERROR,
				errcode(TL_ERRCODE(TL_UNSUPPORTED_TYPE)),
				errmsg("type %s has no ledger encoding", format_type_be(type)),
				errdetail_internal("%s", reason));
}
