import { z } from 'zod';

const text = z.strictObject({ en: z.string().min(1), zh: z.string().min(1) });
/** A part in the scenario: who leads when it begins, the other members in order, who leads later. */
const part = z.enum(['leader', 'first', 'second', 'successor']);
const parts = z.array(part).min(1);

const action = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['kill', 'start', 'pause', 'resume']), nodes: parts }),
  /** Cuts every link between these and all others, both ways. */
  z.strictObject({ kind: z.literal('cut'), nodes: parts }),
  /** Slows the links between two members, in shares of an election time-out. */
  z.strictObject({
    kind: z.literal('delay'),
    between: z.tuple([part, part]),
    elections: z.number().positive().max(2),
  }),
  /** Puts so many keys; those before are put anew. */
  z.strictObject({
    kind: z.literal('put'),
    count: z.number().int().positive().max(50_000),
    value: z.string(),
  }),
  /** Puts until the members say that there is no space. */
  z.strictObject({ kind: z.literal('fill') }),
  z.strictObject({ kind: z.enum(['compact', 'defragment', 'disarm', 'heal', 'removeKeys']) }),
]);

const condition = z.discriminatedUnion('kind', [
  /** Another one leads in a newer term: it is the successor from then on. */
  z.strictObject({ kind: z.enum(['newLeader', 'noLeader', 'allFollow', 'caughtUp']) }),
  z.strictObject({ kind: z.enum(['leadsNoMore', 'stillLeads', 'snapshotInstalled']), node: part }),
  z.strictObject({
    kind: z.literal('behind'),
    node: part,
    entries: z.number().int().positive(),
  }),
  /** Two members stood for election in one term, and neither won it. */
  z.strictObject({ kind: z.literal('splitVote') }),
  z.strictObject({ kind: z.enum(['writeFails', 'writeWorks', 'readFails']), node: part }),
  /** A serializable read still finds this value. */
  z.strictObject({ kind: z.literal('staleRead'), node: part, value: z.string() }),
  z.strictObject({ kind: z.literal('reads'), node: part, value: z.string() }),
  z.strictObject({ kind: z.enum(['noSpace', 'noAlarm']) }),
]);

/** One file of resources/scenarios. */
export const scenarioSchema = z.strictObject({
  id: z.string().regex(/^[a-z][a-z-]{1,63}$/),
  title: text,
  summary: text,
  members: z.number().int().min(1).max(7),
  /** The cluster's quota must not be above this: filling it takes too long. */
  maxQuotaBytes: z.number().int().positive().optional(),
  steps: z
    .array(
      z.strictObject({
        say: text,
        do: z.array(action).optional(),
        lookFor: text.optional(),
        until: condition.optional(),
        withinMs: z.number().int().positive().max(300_000).optional(),
      }),
    )
    .min(1),
});

export type Scenario = z.output<typeof scenarioSchema>;
export type ScenarioStep = Scenario['steps'][number];
export type Part = z.output<typeof part>;
export type Action = z.output<typeof action>;
export type Condition = z.output<typeof condition>;
