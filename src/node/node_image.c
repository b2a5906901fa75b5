/*-------------------------------------------------------------------------
 *
 * node_image.c
 *	  Old images of rows of state tables, kept for a while.
 *
 * A block that changes a row of a state table keeps what the row was before, once,
 * however often it changes it: its key, and its bytes, or none if it was not there
 * (ledger_internal.state_image).  With all images above a block the state after that
 * block can be shown (node_as_of.c, node_show.c).  They are this member's own, outside of all
 * hashes.
 *
 * What a block has kept is in memory until it is IMAGES_SIZE_MAX, and is then written,
 * so that one call that changes a large table needs no more.  While a call runs only
 * what this call has kept is written, in its subtransaction: if it fails, both what
 * it wrote and what it has in memory go with it, and what calls before it have kept
 * stays.  That is written behind a call, or with the block.  Of a new version each
 * statement may leave so much.  A row whose image is written may be kept a second time
 * in a block, of which the first one counts.
 *
 * ledger_internal.state_kept says from which block on images are there without a
 * gap.  Images older than telco_ledger.keep_state are dropped, in steps of about
 * DROPPED_MAX; with 0 none are made.  Neither is dumped.
 *
 * Invariants
 *	  J1  of a key and a block, the image with the smallest number is the row before
 *		  the block
 *	  J2  above state_kept.since there is an image for each row that each block has
 *		  changed
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "chain_rows.h"
#include "chain_statement.h"
#include "node_apply.h"
#include "node_image.h"
#include "node_settings.h"
#include "table_state.h"
#include "tl_compat.h"

#define IMAGES_SIZE_MAX		(8 * 1024 * 1024)
#define IMAGES_AT_FIRST		64
#define DROPPED_MAX			10000
#define REST_MS				50		/* between two steps */
#define GATHER_MS			1000	/* so much becomes too old before it is dropped */

/* Of which row it is. */
typedef struct ImageName
{
	uint8_t		table_id[TL_TABLE_ID_SIZE];
	TlHash		key;
} ImageName;

typedef struct Image
{
	ImageName	name;
	Datum		before;			/* bytea, or 0 */
	Size		size;			/* of all of it */
	SubTransactionId subtransaction;
} Image;

/* What this process knows of ledger_internal.state_kept. */
typedef enum Kept
{
	KEPT_UNKNOWN,				/* nothing */
	KEPT_ASKED,					/* if it is the beginning, that is noted */
	KEPT_SINCE,					/* a block is noted */
	KEPT_NOT					/* none is */
} Kept;

/* No state table has ever had a row. */
static TlStatement insert_beginning = {
	"INSERT INTO ledger_internal.state_kept (since) SELECT 0 WHERE NOT EXISTS"
	" (SELECT FROM ledger_internal.table_state JOIN ledger_internal.state_table USING (table_id))"
	" AND NOT EXISTS (SELECT FROM ledger_internal.state_take) ON CONFLICT DO NOTHING"
};
static TlStatement insert_kept = {
	"INSERT INTO ledger_internal.state_kept (since) VALUES ($1) ON CONFLICT DO NOTHING", 1, {INT8OID}
};
static TlStatement delete_all_images = {"DELETE FROM ledger_internal.state_image"};
static TlStatement delete_kept = {"DELETE FROM ledger_internal.state_kept"};
static TlStatement select_oldest = {
	"SELECT i.height, b.time FROM (SELECT height FROM ledger_internal.state_image ORDER BY height, number LIMIT 1) AS i"
	" LEFT JOIN ledger_internal.block AS b USING (height)"
};

/* The last of the oldest blocks that is old enough, within the images of one step. */
static TlStatement select_bound = {
	"SELECT max(i.height) FROM (SELECT DISTINCT height FROM"
	" (SELECT height FROM ledger_internal.state_image ORDER BY height, number LIMIT $2) AS o) AS i"
	" LEFT JOIN ledger_internal.block AS b USING (height) WHERE coalesce(b.time <= $1, true)",
	2, {TIMESTAMPTZOID, INT4OID}
};
static TlStatement delete_images = {
	"DELETE FROM ledger_internal.state_image WHERE height <= $1", 1, {INT8OID}
};
static TlStatement update_kept = {
	"UPDATE ledger_internal.state_kept SET since = $1 WHERE since < $1", 1, {INT8OID}
};

/* Of the block that is being applied; the first three from its first image on. */
static MemoryContext context = NULL;
static HTAB *names = NULL;		/* of those that have an image in memory */
static Image *images;
static int64_t block_height;
static int64_t number;			/* of images that were written */
static int	image_count = 0;
static int	image_room;
static Size image_size;
static Size size_max;			/* when it is that much, some of it is written */
static bool changed;			/* rows of state tables */

static TimestampTz due = 0;		/* when there may be something to drop */
static Kept kept = KEPT_UNKNOWN;

static void on_begin(int64_t height);
static void on_end(int64_t height);
static void on_change(const uint8_t table_id[TL_TABLE_ID_SIZE], const TlHash *key, TlSpan before);
static void on_change_unkept(const uint8_t table_id[TL_TABLE_ID_SIZE], const TlHash *key, TlSpan before);
static void on_transaction(XactEvent event, void *argument);
static void on_subtransaction(SubXactEvent event, SubTransactionId own, SubTransactionId parent,
							  void *argument);
static void note_kept(int64_t since);
static void make_room(void);
static void add(const ImageName *name, TlSpan before);
static void forget_last(void);
static int	first_of_call(void);
static void write_images(int first);
static void insert(int first);
static bool drop_step(TimestampTz now);
static void drop_until(TimestampTz oldest);

static const TlApplyHook hook = {.begin = on_begin,.end = on_end};

/* The last hook: whatever changes rows in a block comes before. */
void
tl_node_image_init(void)
{
	tl_node_apply_add_hook(&hook);
	RegisterXactCallback(on_transaction, NULL);
	RegisterSubXactCallback(on_subtransaction, NULL);
}

static void
on_begin(int64_t height)
{
	block_height = height;
	number = 0;
	image_count = 0;
	image_size = 0;
	size_max = IMAGES_SIZE_MAX;
	changed = false;
	tl_table_state_watch(tl_setting_keep_state_s == 0 ? on_change_unkept : on_change);
	if (tl_setting_keep_state_s != 0 && (kept == KEPT_UNKNOWN || kept == KEPT_NOT))
	{
		tl_chain_execute(&insert_beginning, NULL, NULL, false);
		kept = KEPT_ASKED;
	}
}

/* J2 */
static void
on_end(int64_t height)
{
	tl_table_state_watch(NULL);
	write_images(0);
	if (changed)
		note_kept(height - 1);
	if (number > 0 && tl_setting_keep_state_s > 0 && due == DT_NOEND)
		due = 0;
	if (context != NULL)
		MemoryContextDelete(context);
	context = NULL;
}

/* Rows have changed, of which the images are kept from there on, or not at all. */
static void
note_kept(int64_t since)
{
	Datum		value = Int64GetDatum(since);

	if (tl_setting_keep_state_s == 0 && kept != KEPT_NOT)
	{
		tl_chain_execute(&delete_kept, NULL, NULL, false);
		kept = KEPT_NOT;
	}
	else if (tl_setting_keep_state_s != 0 && kept != KEPT_SINCE)
	{
		tl_chain_execute(&insert_kept, &value, NULL, false);
		kept = KEPT_SINCE;
	}
}

static void
on_change(const uint8_t table_id[TL_TABLE_ID_SIZE], const TlHash *key, TlSpan before)
{
	ImageName	name;
	bool		found;

	changed = true;
	if (context == NULL)
		make_room();
	memcpy(name.table_id, table_id, TL_TABLE_ID_SIZE);
	name.key = *key;
	(void) hash_search(names, &name, HASH_ENTER, &found);
	if (found)
		return;
	add(&name, before);
	if (image_size > size_max)
		write_images(first_of_call());
}

/* Behind a call, whatever became of it. */
void
tl_node_image_settle(void)
{
	if (image_size > IMAGES_SIZE_MAX)
		write_images(0);
}

static void
on_change_unkept(const uint8_t table_id[TL_TABLE_ID_SIZE], const TlHash *key, TlSpan before)
{
	changed = true;
}

static void
on_transaction(XactEvent event, void *argument)
{
	if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
	{
		context = NULL;
		image_count = 0;
	}
	if (event == XACT_EVENT_ABORT)
		kept = KEPT_UNKNOWN;
}

static void
on_subtransaction(SubXactEvent event, SubTransactionId own, SubTransactionId parent, void *argument)
{
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (image_count > 0 && images[image_count - 1].subtransaction >= own)
		forget_last();
}

static void
forget_last(void)
{
	const Image *image = &images[--image_count];

	(void) hash_search(names, &image->name, HASH_REMOVE, NULL);
	if (image->before != (Datum) 0)
		pfree(DatumGetPointer(image->before));
	image_size -= image->size;
}

static void
make_room(void)
{
	HASHCTL		control = {.keysize = sizeof(ImageName),.entrysize = sizeof(ImageName)};

	StaticAssertStmt(sizeof(ImageName) == TL_TABLE_ID_SIZE + TL_HASH_SIZE, "the key has no gaps");
	context = AllocSetContextCreate(TopTransactionContext, "telco_ledger old images", ALLOCSET_DEFAULT_SIZES);
	control.hcxt = context;
	names = hash_create("telco_ledger keys of old images", 256, &control,
						HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	image_room = IMAGES_AT_FIRST;
	images = MemoryContextAlloc(context, image_room * sizeof(Image));
}

static void
add(const ImageName *name, TlSpan before)
{
	MemoryContext caller = MemoryContextSwitchTo(context);
	Image	   *image;

	if (image_count == image_room)
		images = repalloc_huge(images, (image_room *= 2) * sizeof(Image));
	image = &images[image_count];
	image->name = *name;
	image->before = before.size == 0 ? (Datum) 0 : tl_chain_bytes(before.data, before.size);
	image->size = sizeof(Image) + sizeof(ImageName) + before.size;
	image->subtransaction = GetCurrentSubTransactionId();
	image_count++;
	image_size += image->size;
	MemoryContextSwitchTo(caller);
}

/* The first one that goes if the current subtransaction ends in vain: so do all behind it. */
static int
first_of_call(void)
{
	SubTransactionId current = GetCurrentSubTransactionId();
	int			first = image_count;

	while (first > 0 && images[first - 1].subtransaction >= current)
		first--;
	return first;
}

/*
 * Those from there on.  Perhaps while a call runs, with the rights of contracts and in
 * the midst of one of its statements.  What goes wrong takes the subtransaction back,
 * and the rights with it.
 */
static void
write_images(int first)
{
	Oid			user;
	int			security;

	if (image_count == first)
		return;
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(BOOTSTRAP_SUPERUSERID, security | SECURITY_LOCAL_USERID_CHANGE);
	insert(first);
	SetUserIdAndSecContext(user, security);
	while (image_count > first)
		forget_last();
	size_max = image_size + IMAGES_SIZE_MAX;
}

/* Index expressions of somebody's own may leave something behind. */
static void
insert(int first)
{
	MemoryContext own = AllocSetContextCreate(context, "telco_ledger old images written", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(own);
	TlChainRows *rows = tl_chain_rows_open("state_image");

	for (int i = first; i < image_count; i++)
	{
		const Image *image = &images[i];
		Datum		values[] = {
			Int64GetDatum(block_height), Int64GetDatum(++number),
			UUIDPGetDatum((const pg_uuid_t *) image->name.table_id),
			tl_chain_bytes(image->name.key.bytes, TL_HASH_SIZE), image->before
		};
		bool		nulls[lengthof(values)] = {false};

		nulls[lengthof(values) - 1] = image->before == (Datum) 0;
		tl_chain_rows_add(rows, values, nulls, lengthof(values));
	}
	tl_chain_rows_close(rows);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(own);
}

/* All rows were replaced by those after that block: nothing is known of what was before. */
void
tl_node_image_begin_anew(int64_t height)
{
	Datum		value = Int64GetDatum(height);

	tl_chain_execute(&delete_kept, NULL, NULL, false);
	tl_chain_execute(&delete_all_images, NULL, NULL, false);
	kept = KEPT_UNKNOWN;
	if (tl_setting_keep_state_s != 0)
		tl_chain_execute(&insert_kept, &value, NULL, false);
}

/* The setting has changed. */
void
tl_node_image_wake(void)
{
	due = 0;
}

long
tl_node_image_tend(void)
{
	TimestampTz now = GetCurrentTimestamp();
	bool		more;

	if (due == DT_NOEND)
		return -1;
	if (now < due)
		return Max(TimestampDifferenceMilliseconds(now, due), 1);
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	XactIsoLevel = XACT_READ_COMMITTED;
	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	more = drop_step(now);
	SPI_finish();
	PopActiveSnapshot();
	CommitTransactionCommand();
	if (more)
		due = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), REST_MS);
	return due == DT_NOEND ? -1 : Max(TimestampDifferenceMilliseconds(GetCurrentTimestamp(), due), 1);
}

/* True if there may be more now; if not, due is when. */
static bool
drop_step(TimestampTz now)
{
	TimestampTz too_old = now - tl_setting_keep_state_s * USECS_PER_SEC;
	TimestampTz time;
	bool		no_time;

	due = DT_NOEND;
	if (tl_setting_keep_state_s < 0 || tl_chain_execute(&select_oldest, NULL, NULL, true) == 0)
		return false;
	time = DatumGetTimestampTz(tl_chain_result(0, 1, &no_time));
	if (!no_time && time > too_old)
	{
		due = time + tl_setting_keep_state_s * USECS_PER_SEC + GATHER_MS * INT64CONST(1000);
		return false;
	}
	drop_until(too_old);
	return true;
}

/* Images of so many blocks as are older, or as many as one step takes. */
static void
drop_until(TimestampTz oldest)
{
	Datum		values[] = {TimestampTzGetDatum(oldest), Int32GetDatum(DROPPED_MAX)};
	Datum		bound;

	tl_chain_execute(&select_bound, values, NULL, true);
	bound = tl_chain_result(0, 0, NULL);
	tl_chain_execute(&delete_images, &bound, NULL, false);
	tl_chain_execute(&update_kept, &bound, NULL, false);
}
