/*-------------------------------------------------------------------------
 *
 * tl_compat.h
 *	  Differences between PostgreSQL 15 and 18, and nowhere else.
 *
 * The only file that may ask for PG_VERSION_NUM.  Included by backend files
 * after postgres.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TL_COMPAT_H
#define TL_COMPAT_H

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "telco_ledger supports PostgreSQL 15 to 18"
#endif

/* 16 took the layout of variable-length values out of postgres.h. */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16 renamed relfilenode to relfilelocator and widened update_indexes. */
#if PG_VERSION_NUM < 160000
#define tl_set_new_filelocator	relation_set_new_filenode
#define TlFileLocator			RelFileNode
#define TlUpdateIndexes			bool
#else
#define tl_set_new_filelocator	relation_set_new_filelocator
#define TlFileLocator			RelFileLocator
#define TlUpdateIndexes			TU_UpdateIndexes
#endif

/* 16 has one ownership check for all kinds of objects. */
#if PG_VERSION_NUM < 160000
#define tl_relation_is_owned(relation, role)	pg_class_ownercheck(relation, role)
#define tl_database_is_owned(database, role)	pg_database_ownercheck(database, role)
#else
#define tl_relation_is_owned(relation, role) \
	object_ownercheck(RelationRelationId, relation, role)
#define tl_database_is_owned(database, role) \
	object_ownercheck(DatabaseRelationId, database, role)
#endif

/* 18 has the attribute under a new name; both stand before a declaration. */
#if PG_VERSION_NUM < 180000
#define tl_noreturn				pg_attribute_noreturn()
#else
#define tl_noreturn				pg_noreturn
#endif

/* 18 can count what an index scan does. */
#if PG_VERSION_NUM < 180000
#define tl_index_beginscan(table, index, snapshot, key_count) \
	index_beginscan(table, index, snapshot, key_count, 0)
#else
#define tl_index_beginscan(table, index, snapshot, key_count) \
	index_beginscan(table, index, snapshot, NULL, key_count, 0)
#endif

/* 16 wants the table when a btree is searched, 17 no snapshot. */
#if PG_VERSION_NUM < 160000
#define tl_btree_search_leaf(index, table, key, buffer) \
	_bt_search(index, key, buffer, BT_WRITE, NULL)
#elif PG_VERSION_NUM < 170000
#define tl_btree_search_leaf(index, table, key, buffer) \
	_bt_search(index, table, key, buffer, BT_WRITE, NULL)
#else
#define tl_btree_search_leaf(index, table, key, buffer) \
	_bt_search(index, table, key, buffer, BT_WRITE)
#endif

/* 17 has sets of events belong to a resource owner. */
#if PG_VERSION_NUM < 170000
#define tl_wait_set_create(count)	CreateWaitEventSet(CurrentMemoryContext, count)
#else
#define tl_wait_set_create(count)	CreateWaitEventSet(NULL, count)
#endif

/* 17 can give a generated column another expression, and rewrites its rows. */
#if PG_VERSION_NUM < 170000
#define tl_alter_sets_expression(subtype)	false
#else
#define tl_alter_sets_expression(subtype)	((subtype) == AT_SetExpression)
#endif

/* 18 has generated columns that no row stores; there they are the default. */
#if PG_VERSION_NUM < 180000
#define tl_attribute_is_virtual(attribute)	false
#else
#define tl_attribute_is_virtual(attribute) \
	((attribute)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#endif

/* 16 can return errors of making a range, and tell indexes that summarize. */
#if PG_VERSION_NUM < 160000
#define tl_make_range(cache, lower, upper, is_empty) make_range(cache, lower, upper, is_empty)
#define tl_insert_index_tuples(target, slot, estate) \
	ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL)
#else
#define tl_make_range(cache, lower, upper, is_empty) \
	make_range(cache, lower, upper, is_empty, NULL)
#define tl_insert_index_tuples(target, slot, estate) \
	ExecInsertIndexTuples(target, slot, estate, false, false, NULL, NIL, false)
#endif

/* 18 knows by itself whether a plan runs once. */
#if PG_VERSION_NUM < 180000
#define tl_executor_run(description)	ExecutorRun(description, ForwardScanDirection, 0, true)
#else
#define tl_executor_run(description)	ExecutorRun(description, ForwardScanDirection, 0)
#endif

/* 18 has constraints that are not enforced, and another name for what is made of the others. */
#if PG_VERSION_NUM < 180000
#define tl_check_states			ri_ConstraintExprs
#define tl_check_is_enforced(check)	true
#else
#define tl_check_states			ri_CheckConstraintExprs
#define tl_check_is_enforced(check)	((check)->ccenforced)
#endif

/* 18 says what an operator is to an index by a name, and not by btree's number. */
#if PG_VERSION_NUM < 180000
#define TlOperatorMeaning				OpBtreeInterpretation
#define tl_operator_meanings(operator)	get_op_btree_interpretation(operator)
#define tl_operator_is_equality(meaning) \
	((meaning)->strategy == BTEqualStrategyNumber || (meaning)->strategy == ROWCOMPARE_NE)
#else
#define TlOperatorMeaning				OpIndexInterpretation
#define tl_operator_meanings(operator)	get_op_index_interpretation(operator)
#define tl_operator_is_equality(meaning) \
	((meaning)->cmptype == COMPARE_EQ || (meaning)->cmptype == COMPARE_NE)
#endif

/* Settings of the planner that later releases have, each followed by a comma, with what they are where plans are made alike. */
#if PG_VERSION_NUM >= 180000
#define TL_LATER_PLAN_SETTINGS \
	{"enable_distinct_reordering", "on"}, {"enable_group_by_reordering", "on"}, \
	{"enable_presorted_aggregate", "on"}, {"enable_self_join_elimination", "on"},
#elif PG_VERSION_NUM >= 170000
#define TL_LATER_PLAN_SETTINGS {"enable_group_by_reordering", "on"}, {"enable_presorted_aggregate", "on"},
#elif PG_VERSION_NUM >= 160000
#define TL_LATER_PLAN_SETTINGS {"enable_presorted_aggregate", "on"},
#else
#define TL_LATER_PLAN_SETTINGS
#endif

#endif							/* TL_COMPAT_H */
