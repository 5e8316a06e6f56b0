import { WaitingChildrenError, type JobsOptions } from 'bullmq';
import { failure, look, until, type Behaviour } from './bench.js';
import { listen } from './events.behaviours.js';
import { add, child, dependenciesOf, outcome, shape, sorted } from './flow-trees.js';

/** Jobs that wait for others. */
export const flows: Record<string, Behaviour> = {
  'a parent runs after its children and has their results': async (bench) => {
    const [parents, children] = [bench.queue('parents'), bench.queue('children')];
    const heard = listen(bench, 'parents');
    const tree = await bench.flows().add({
      name: 'parent',
      queueName: parents.name,
      data: { of: 2 },
      opts: { jobId: 'p', priority: 3 },
      children: ['a', 'b'].map((name) => child(bench, name)),
    });
    const before = [await look(parents, tree.job.id), await look(children, 'a'), await dependenciesOf(tree.job)];
    bench.worker(async (job) => ({ by: job.name }), { on: 'children' });
    bench.worker(async (job) => ({ values: await job.getChildrenValues() }), { on: 'parents' });
    await bench.ended(parents, 1);
    await until(() => heard.some(([event]) => event === 'drained'));
    const counts = await tree.job.getDependenciesCount();
    return { before, counts, after: await look(parents, 'p'), dependencies: await dependenciesOf(tree.job), heard };
  },

  'a flow of flows is read back': async (bench) => {
    const [parents, children] = [bench.queue('parents'), bench.queue('children')];
    const flow = bench.flows();
    await flow.add({
      name: 'root',
      queueName: parents.name,
      opts: { jobId: 'root' },
      children: [
        { name: 'middle', queueName: parents.name, opts: { jobId: 'middle' }, children: [child(bench, 'leaf')] },
        child(bench, 'other'),
      ],
    });
    const read = async () => shape((await flow.getFlow({ id: 'root', queueName: parents.name }))!);
    const trees = [await read()];
    const order: string[] = [];
    bench.worker(async (job) => void order.push(job.name), { on: 'children' });
    bench.worker(async (job) => void order.push(job.name), { on: 'parents' });
    await bench.ended(parents, 2);
    trees.push(await read());
    const pages = await Promise.all(
      (['processed', 'pending'] as const).map((type) => parents.getDependencies('root', type, 0, 5)),
    );
    const counts = [await parents.getJobCounts(), await children.getJobCounts()];
    return { trees, last: order.slice(-1), pages: pages.map(({ items, total }) => [sorted(items), total]), counts };
  },

  'case 27: failParentOnFailure': failing({ failParentOnFailure: true }),
  'case 27: ignoreDependencyOnFailure': failing({ ignoreDependencyOnFailure: true }),
  'case 27: removeDependencyOnFailure': failing({ removeDependencyOnFailure: true }),
  'case 27: continueParentOnFailure': failing({ continueParentOnFailure: true }),
  'case 27: a failure that nobody has thought of': failing({}),

  'a failure climbs to the top': async (bench) => {
    const queue = bench.queue('parents');
    const opts = { failParentOnFailure: true };
    await bench.flows().add({
      name: 'top',
      queueName: queue.name,
      opts: { jobId: 'top' },
      children: [
        {
          name: 'middle',
          queueName: queue.name,
          opts: { ...opts, jobId: 'middle' },
          children: [child(bench, 'leaf', opts)],
        },
      ],
    });
    bench.worker(
      async () => {
        throw new Error('no');
      },
      { on: 'children' },
    );
    bench.worker(async () => 'never', { on: 'parents' });
    await bench.ended(queue, 2);
    return [await look(queue, 'top'), await look(queue, 'middle')];
  },

  'a failed child that is retried is waited for again': async (bench) => {
    const [parents, children] = [bench.queue('parents'), bench.queue('children')];
    const ignore = { ignoreDependencyOnFailure: true };
    const { job } = await add(bench, [child(bench, 'bad', ignore), child(bench, 'slow')]);
    let fails = true;
    bench.worker(
      async (child) => {
        if (child.name === 'bad' && fails) throw new Error('no');
        return child.name;
      },
      { on: 'children' },
    );
    await children.pause();
    await children.resume();
    await bench.ended(children, 2);
    const first = await job.getDependenciesCount();
    fails = false;
    await children.pause();
    await (await children.getJob('bad'))!.retry();
    const again = await job.getDependenciesCount();
    await children.resume();
    await until(async () => (await children.getCompletedCount()) === 2);
    return { first, again, last: await job.getDependenciesCount(), parent: await look(parents, 'p') };
  },

  'a job adds children while it runs, and waits for them': async (bench) => {
    const [parents, children] = [bench.queue('parents'), bench.queue('children')];
    bench.worker(async (job) => job.name, { on: 'children' });
    const steps: unknown[] = [];
    bench.worker(
      async (job, token) => {
        steps.push(job.data);
        if (job.data === 'second') return job.getChildrenValues();
        await children.add('late', {}, { jobId: 'late', parent: { id: job.id!, queue: job.queueQualifiedName } });
        await job.updateData('second');
        if (await job.moveToWaitingChildren(token!)) throw new WaitingChildrenError();
        return 'none';
      },
      { on: 'parents' },
    );
    await parents.add('parent', 'first', { jobId: 'p' });
    await bench.ended(parents, 1);
    const { returnvalue, ...view } = (await look(parents, 'p')) as { returnvalue: unknown };
    // Whether the child was faster is a matter of luck.
    const fine = returnvalue === 'none' || steps.length === 2;
    return { fine, keys: Object.keys(view).length };
  },

  'a parent that is removed takes its children along': async (bench) => {
    const [parents, children] = [bench.queue('parents'), bench.queue('children')];
    const heard = listen(bench, 'children');
    const { job } = await add(
      bench,
      ['a', 'b', 'c'].map((name) => child(bench, name)),
    );
    await add(bench, [child(bench, 'd')], 'kept');
    const worker = bench.worker(null, { on: 'children' });
    await worker.getNextJob('token');
    const errors = [await failure(job.remove())];
    await job.removeUnprocessedChildren();
    const counts = [await parents.getJobCounts(), await children.getJobCounts()];
    const removed = [await parents.remove('kept', { removeChildren: false }), await look(children, 'd')];
    await until(() => heard.filter(([event]) => event === 'removed').length === 2);
    return { errors, counts, removed, heard: heard.filter(([event]) => event === 'removed').length };
  },

  'a parent whose last child is removed runs': async (bench) => {
    const [parents, children] = [bench.queue('parents'), bench.queue('children')];
    await add(bench, [child(bench, 'a'), child(bench, 'b'), child(bench, 'c')]);
    const states: unknown[] = [];
    for (const id of ['a', 'b', 'c']) {
      const job = (await children.getJob(id))!;
      if (id === 'b') states.push(await job.removeChildDependency());
      else await job.remove();
      states.push(await parents.getJobState('p'));
    }
    return { states, view: await look(children, 'b'), parent: await look(parents, 'p') };
  },

  'children that exist already': async (bench) => {
    const [parents, children] = [bench.queue('parents'), bench.queue('children')];
    await children.add('done', {}, { jobId: 'done' });
    bench.worker(async (job) => `${job.name}!`, { on: 'children' });
    await bench.ended(children, 1);
    await add(bench, [child(bench, 'done')], 'first');
    const first = await look(parents, 'first');
    await children.pause();
    await add(bench, [child(bench, 'waits')], 'second');
    await add(bench, [child(bench, 'waits'), child(bench, 'own')], 'third');
    await children.resume();
    await until(async () => (await children.getCompletedCount()) === 3);
    const views = await Promise.all(['first', 'second', 'third'].map((id) => look(parents, id)));
    const missing = await failure(
      bench.flows().add({
        name: 'x',
        queueName: parents.name,
        opts: { parent: { id: 'nobody', queue: parents.qualifiedName } } as JobsOptions,
        children: [child(bench, 'y')],
      }),
    );
    return { first, views, missing: missing.replace(/\S*nobody/, 'nobody') };
  },

  'several flows at once': async (bench) => {
    const [parents, children] = [bench.queue('parents'), bench.queue('children')];
    const trees = await bench.flows().addBulk(
      ['x', 'y'].map((id) => ({
        name: id,
        queueName: parents.name,
        opts: { jobId: id, delay: id === 'y' ? 20 : undefined },
        children: [child(bench, `${id}1`, { removeOnComplete: true }), child(bench, `${id}2`, { delay: 20 })],
      })),
    );
    bench.worker(async (job) => job.name, { on: 'children' });
    bench.worker(async (job) => job.getChildrenValues(), { on: 'parents' });
    await bench.ended(parents, 2);
    const counts = [await parents.getJobCounts(), await children.getJobCounts()];
    return { ids: trees.map(({ job }) => job.id), counts, views: [await look(parents, 'x'), await look(parents, 'y')] };
  },
};

/** One child fails and one does not end before. */
function failing(opts: JobsOptions): Behaviour {
  return async (bench) => {
    const [parents, children] = [bench.queue('parents'), bench.queue('children')];
    const { job } = await add(bench, [child(bench, 'bad', opts), child(bench, 'good')]);
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    bench.worker(
      async ({ name }) => {
        if (name === 'bad') throw new Error('no luck');
        await held;
        return 'fine';
      },
      { on: 'children', concurrency: 2 },
    );
    bench.worker(async (parent) => [await parent.getChildrenValues(), await parent.getIgnoredChildrenFailures()], {
      on: 'parents',
    });
    await bench.ended(children, 1);
    const lives = opts.failParentOnFailure || opts.continueParentOnFailure;
    if (lives) await bench.ended(parents, 1);
    const early = await outcome(parents, job);
    release();
    await bench.ended(children, 2);
    if (lives || opts.ignoreDependencyOnFailure || opts.removeDependencyOnFailure) await bench.ended(parents, 1);
    return { early, late: await outcome(parents, job), child: await look(children, 'bad') };
  };
}
