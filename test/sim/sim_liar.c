/*-------------------------------------------------------------------------
 *
 * sim_liar.c
 *	  A member that tells each peer another story.
 *
 * It runs an unmodified core to know what is going on; what that core writes
 * is turned, for each peer, into a log of that peer's own: rows left out, a
 * second proposal with another time for some, votes for either, votes that
 * contradict, votes for what is not notarized.  Every story is validly signed
 * and chained in itself.  The plan may fix what it does (SimLie).
 *
 *-------------------------------------------------------------------------
 */
#include "sim.h"

#include <string.h>

static void tell_anything(SimWorld *world, SimNode *node, const SimRow *row);
static void tell_lie(SimWorld *world, SimNode *node, const SimRow *row,
					 unsigned target);
static bool withholds(SimWorld *world, const SimRow *row, bool victim);
static void tell_twisted(SimWorld *world, SimNode *node, const SimRow *row,
						 unsigned target);
static void tell_half(SimWorld *world, SimNode *node, const SimRow *row,
					  unsigned target);
static void tell_out_of_turn(SimWorld *world, SimNode *node,
							 const SimRow *row, unsigned target);
static void begin_view(SimNode *node, const SimRow *row);
static bool is_vote(uint8_t kind);
static unsigned victim_of(SimWorld *world, uint64_t view);
static int64_t late_us(SimWorld *world);
static void tell_vote(SimWorld *world, SimNode *node, unsigned target,
					  uint8_t kind, uint64_t view, const TlHash *block);
static const TlHash *other_block(SimWorld *world, uint64_t view,
								 const TlHash *block);

void
sim_liar_send(SimWorld *world, SimNode *node, SimRow *row)
{
	if (world->plan.lie == SIM_LIE_ANY)
	{
		tell_anything(world, node, row);
		return;
	}
	for (unsigned i = 0; i < world->node_count; i++)
	{
		if (world->nodes[i].number != node->number)
			tell_lie(world, node, row, i);
	}
}

/* The one lie that the plan asks for; everything else is honest. */
static void
tell_lie(SimWorld *world, SimNode *node, const SimRow *row, unsigned target)
{
	uint8_t		kind = row->row.kind;
	bool		victim = (target == victim_of(world, row->row.view));

	if (withholds(world, row, victim))
	{
		world->seen[SIM_SEEN_LIE]++;
		return;
	}
	switch (world->plan.lie)
	{
		case SIM_LIE_PROPOSAL:
			tell_twisted(world, node, row, target);
			return;
		case SIM_LIE_FORK:
			tell_half(world, node, row, target);
			return;
		case SIM_LIE_TURN:
			tell_out_of_turn(world, node, row, target);
			return;
		case SIM_LIE_OTHER_VOTE:
			if (kind == TL_LOG_NOTARIZE && victim)
			{
				TlHash		other = row->digest;

				world->seen[SIM_SEEN_LIE]++;
				tell_vote(world, node, target, kind, row->row.view, &other);
				return;
			}
			break;
		case SIM_LIE_EVIDENCE:
			if (is_vote(kind))
				sim_liar_accuse(world, node, target);
			break;
		case SIM_LIE_FLOOD:
		case SIM_LIE_NUMBER:
			if (kind == TL_LOG_BATCH)
				return;
			break;
		case SIM_LIE_OLD_KEY:
			sim_liar_forge(world, node, target);
			break;
		case SIM_LIE_MALFORMED:
			if (sim_liar_malform(world, node, target, &row->row))
				return;
			break;
		default:
			break;
	}
	sim_liar_tell(world, node, target, row->row);
	if (world->plan.lie == SIM_LIE_BELOW && kind == TL_LOG_REJOIN)
	{
		world->seen[SIM_SEEN_BELOW]++;
		tell_vote(world, node, target, TL_LOG_NULLIFY, row->row.view - 1, NULL);
	}
}

/* Is that row kept from that member? */
static bool
withholds(SimWorld *world, const SimRow *row, bool victim)
{
	uint8_t		kind = row->row.kind;

	switch (world->plan.lie)
	{
		case SIM_LIE_SOME:
			return kind == TL_LOG_PROPOSE && sim_chance(world, 50);
		case SIM_LIE_WITHHOLD:
			return (is_vote(kind) && sim_chance(world, 70)) ||
				kind == TL_LOG_CERT;
		case SIM_LIE_ONE_NOTARIZE:
			return (kind == TL_LOG_NOTARIZE && !victim) ||
				kind == TL_LOG_CERT || kind == TL_LOG_NULLIFY;
		case SIM_LIE_ONE_FINALIZE:
		case SIM_LIE_BUT_ONE:
			return (kind == TL_LOG_FINALIZE &&
					victim == (world->plan.lie == SIM_LIE_BUT_ONE)) ||
				kind == TL_LOG_CERT || kind == TL_LOG_NULLIFY;
		case SIM_LIE_SCRIPT:
			return sim_script_withholds(world, row);
		default:
			return false;
	}
}

/* The twisted proposal, and a vote for it; an honest one to the others. */
static void
tell_twisted(SimWorld *world, SimNode *node, const SimRow *row, unsigned target)
{
	SimTwist	twist = world->plan.twist;
	TlHash		block;

	if (twist == SIM_TWIST_ANY)
		twist = (SimTwist) sim_random(world, SIM_TWISTS);
	begin_view(node, row);
	if (row->row.kind == TL_LOG_PROPOSE &&
		(world->plan.to_all || sim_chance(world, 50)) &&
		sim_liar_propose(world, node, target, &row->row, twist, &block))
	{
		node->twisted[target] = block;
		node->twisted_to |= UINT64_C(1) << target;
	}
	else if ((row->row.kind == TL_LOG_NOTARIZE ||
			  row->row.kind == TL_LOG_FINALIZE) &&
			 row->row.view == node->twisted_view &&
			 (node->twisted_to & (UINT64_C(1) << target)))
		tell_vote(world, node, target, row->row.kind, row->row.view,
				  &node->twisted[target]);
	else
		sim_liar_tell(world, node, target, row->row);
}

/* The leader's block as an own one, a bit later, and votes for that. */
static void
tell_out_of_turn(SimWorld *world, SimNode *node, const SimRow *row,
				 unsigned target)
{
	const SimRow *theirs = NULL;
	TlHash		block;

	if (row->row.kind == TL_LOG_NOTARIZE &&
		tl_consensus_vote_decode(&block, row->row.payload.data,
								 row->row.payload.size) == TL_OK)
		theirs = sim_find(world, &block);
	if (theirs == NULL || theirs->row.member == node->number ||
		!sim_liar_propose(world, node, target, &theirs->row, SIM_TWIST_TIME, &block))
	{
		sim_liar_tell(world, node, target, row->row);
		return;
	}
	world->seen[SIM_SEEN_LIE]++;
	tell_vote(world, node, target, TL_LOG_NOTARIZE, row->row.view, &block);
}

/* What was told of another view is no matter any more. */
static void
begin_view(SimNode *node, const SimRow *row)
{
	if (row->row.kind != TL_LOG_PROPOSE || node->twisted_view == row->row.view)
		return;
	node->twisted_view = row->row.view;
	node->twisted_to = 0;
}

/* Every second member gets another block, and votes of all liars for that. */
static void
tell_half(SimWorld *world, SimNode *node, const SimRow *row, unsigned target)
{
	uint8_t		kind = row->row.kind;
	const SimNode *leader =
	&world->nodes[sim_check_leader(world, row->row.epoch, row->row.view) - 1];
	uint64_t	bit = UINT64_C(1) << target;
	TlHash		block;

	begin_view(node, row);
	if (kind == TL_LOG_PROPOSE && target % 2 == 1 &&
		sim_liar_propose(world, node, target, &row->row, SIM_TWIST_TIME, &block))
	{
		node->twisted[target] = block;
		node->twisted_to |= bit;
	}
	else if ((kind == TL_LOG_NOTARIZE || kind == TL_LOG_FINALIZE) &&
			 leader->twisted_view == row->row.view && (leader->twisted_to & bit))
		tell_vote(world, node, target, kind, row->row.view,
				  &leader->twisted[target]);
	else
		sim_liar_tell(world, node, target, row->row);
}

static bool
is_vote(uint8_t kind)
{
	return kind == TL_LOG_NOTARIZE || kind == TL_LOG_FINALIZE ||
		kind == TL_LOG_NULLIFY;
}

/* An honest member, another one each view. */
static unsigned
victim_of(SimWorld *world, uint64_t view)
{
	for (unsigned i = 0; i < world->member_count; i++)
	{
		unsigned	id = (unsigned) ((view + i) % world->member_count);

		if (sim_is_honest(&world->nodes[id]))
			return id;
	}
	return 0;
}

/* At the last millisecond: when the others' timers or patience end. */
static int64_t
late_us(SimWorld *world)
{
	const TlConsensusPace *pace = &world->config.pace;
	int64_t		late = sim_chance(world, 50) ? pace->timer_us : pace->dead_us;

	if (world->plan.lie != SIM_LIE_LATE || world->calm)
		return 0;
	world->seen[SIM_SEEN_LIE]++;
	late += (int64_t) sim_random(world, 10 * SIM_MS) - 5 * SIM_MS -
		world->plan.delay_us - world->plan.jitter_us / 2;
	return (late > 0) ? late : 0;
}

/* A bit of everything. */
static void
tell_anything(SimWorld *world, SimNode *node, const SimRow *row)
{
	unsigned	mood = (unsigned) sim_random(world, 4);
	SimTwist	twist = sim_chance(world, 40) ? SIM_TWIST_TIME :
	(SimTwist) sim_random(world, world->plain ? SIM_TWIST_PAST : SIM_TWISTS);
	unsigned	share = sim_chance(world, 50) ? 50 : 100;
	const SimRow *theirs = NULL;

	/* Out of turn: the leader's proposal as an own one. */
	if (row->row.kind == TL_LOG_NOTARIZE && sim_chance(world, 20))
	{
		TlHash		block;

		(void) tl_consensus_vote_decode(&block, row->row.payload.data,
										row->row.payload.size);
		theirs = sim_find(world, &block);
	}

	for (unsigned i = 0; i < world->node_count; i++)
	{
		const TlLogRow *told = &row->row;
		uint8_t		kind = told->kind;
		TlHash		block;
		const TlHash *other;

		if (world->nodes[i].number == node->number)
			continue;
		if (kind == TL_LOG_ACK && sim_chance(world, 3))
			sim_liar_accuse(world, node, i);
		if (!is_vote(kind))
		{
			if (kind == TL_LOG_PROPOSE && sim_chance(world, share))
				(void) sim_liar_propose(world, node, i, told, twist, &block);
			else if (kind != TL_LOG_PROPOSE || !sim_chance(world, 20))
				sim_liar_tell(world, node, i, *told);
			continue;
		}
		if (theirs != NULL)
			(void) sim_liar_propose(world, node, i, &theirs->row, SIM_TWIST_TIME, &block);
		if (mood == 0 && sim_chance(world, 60))
			continue;			/* withheld */
		memset(&block, 0, sizeof(block));
		if (kind != TL_LOG_NULLIFY)
			(void) tl_consensus_vote_decode(&block, told->payload.data,
											told->payload.size);
		other = other_block(world, told->view, &block);
		if (mood != 1 || sim_chance(world, 50))
			tell_vote(world, node, i, kind, told->view, &block);
		if (other != NULL && sim_chance(world, 60))
			tell_vote(world, node, i, TL_LOG_NOTARIZE, told->view, other);
		if (other != NULL && sim_chance(world, 40))
			tell_vote(world, node, i, TL_LOG_FINALIZE, told->view, other);
		if (sim_chance(world, 30))
			tell_vote(world, node, i, TL_LOG_NULLIFY, told->view, NULL);
		if (kind == TL_LOG_NOTARIZE && sim_chance(world, 30))
			tell_vote(world, node, i, TL_LOG_FINALIZE, told->view, &block);
	}
}

/* The next row of the story for this target. */
void
sim_liar_tell(SimWorld *world, SimNode *node, unsigned target, TlLogRow row)
{
	SimLog	   *story = &node->stories[target];
	const SimRow *last = (story->count > 0) ? story->rows[story->count - 1] : NULL;
	SimRow	   *made;
	SimEvent	event = {.kind = SIM_ARRIVE,.node = target,
	.life = world->nodes[target].life};
	uint8_t		state[TL_STATE_SIZE];

	row.member = node->number;
	row.sequence = 1;
	memset(&row.previous, 0, sizeof(row.previous));
	if (last != NULL && row.kind != TL_LOG_REJOIN)
	{
		memcpy(row.nonce, last->row.nonce, TL_NONCE_SIZE);
		row.sequence = last->row.sequence + 1;
		row.previous = last->digest;
	}
	sim_state_lie(world, target, &row, state);
	if (row.kind == TL_LOG_STATE)
		row.payload.data = state;
	made = sim_row(world, &row);
	event.hash = made->subject;
	made->holders |= UINT64_C(1) << node->id;
	sim_log_add(story, made);
	if (!sim_wire_linked(world, node->id, target) ||
		world->slotless[node->id][target] ||
		sim_chance(world, world->plan.loss_percent))
		return;
	event.row = made;
	sim_later(world, sim_wire_stream(world, node->id, target, late_us(world)),
			  event);
	if (row.kind == TL_LOG_BATCH && sim_liar_gives_body(world, node, target))
	{
		event.kind = SIM_BODY;
		sim_later(world, sim_wire_delay(world, node->id, target), event);
	}
}

static void
tell_vote(SimWorld *world, SimNode *node, unsigned target, uint8_t kind,
		  uint64_t view, const TlHash *block)
{
	TlLogRow	row;

	memset(&row, 0, sizeof(row));
	row.member = node->number;
	row.kind = kind;
	row.view = view;
	row.epoch = node->epoch;
	if (kind != TL_LOG_NULLIFY)
	{
		if (block == NULL)
			return;
		row.payload.data = block->bytes;
		row.payload.size = TL_HASH_SIZE;
	}
	sim_liar_tell(world, node, target, row);
}

/* Another block that was proposed in this view by anybody, if there is one. */
static const TlHash *
other_block(SimWorld *world, uint64_t view, const TlHash *block)
{
	unsigned	looked = 0;

	for (const SimRow *row = world->rows; row != NULL && looked < 2000;
		 row = row->next, looked++)
	{
		if (row->row.kind == TL_LOG_PROPOSE && row->row.view == view &&
			!sim_same(&row->subject, block))
			return &row->subject;
	}
	return NULL;
}
