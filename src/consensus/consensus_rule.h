/*-------------------------------------------------------------------------
 *
 * consensus_rule.h
 *	  A rule of README.md, cited where it is checked.
 *
 * A test build with -DTL_MUTANT=n forgets rule Rn, P(n - 100) or C(n - 200), or from 300
 * on what has no number of its own; the simulator must then find a violation
 * (test/sim/mutants).
 *
 *-------------------------------------------------------------------------
 */
#ifndef CONSENSUS_RULE_H
#define CONSENSUS_RULE_H

#ifdef TL_MUTANT
#define TL_FORGOTTEN(number)	((number) == (TL_MUTANT))
#else
#define TL_FORGOTTEN(number)	false
#endif
#define TL_RULE(number, condition)	(TL_FORGOTTEN(number) || (condition))

#endif							/* CONSENSUS_RULE_H */
