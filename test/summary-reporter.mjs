/** Ends the run with one plain line that any CI can read. */
export default class SummaryReporter {
  onRunComplete(_contexts, results) {
    const broken = results.numRuntimeErrorTestSuites;
    process.stdout.write(`${results.numPassedTests} passed, ${results.numFailedTests + broken} failed\n`);
  }
}
