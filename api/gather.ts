/**
 * Have questions of one kind answered together. Those asked at the same moment go at once; those asked while others
 * are being answered go with the next ones. So nobody waits for a timer, and the busier it is, the more go together.
 * What is answered was looked up after it was asked for.
 *
 * @param answerAll gives as many answers as it gets questions, in their order; `most` questions at most. When it fails,
 * all who asked are told.
 */
export function gather<Question, Answer>(
  most: number,
  answerAll: (questions: Question[]) => Promise<Answer[]>,
): (question: Question) => Promise<Answer> {
  const waiting: { question: Question; resolve: (answer: Answer) => void; reject: (error: unknown) => void }[] = [];
  let busy = false;

  return (question) =>
    new Promise((resolve, reject) => {
      waiting.push({ question, resolve, reject });
      if (!busy) soon();
    });

  /** When all who are woken by the same thing have asked. */
  function soon(): void {
    busy = true;
    setImmediate(() => void answerNext());
  }

  async function answerNext(): Promise<void> {
    const asked = waiting.splice(0, most);
    try {
      const answers = await answerAll(asked.map(({ question }) => question));
      for (const [i, { resolve }] of asked.entries()) resolve(answers[i] as Answer); // as many as there were questions
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
    busy = false;
    if (waiting.length > 0) soon();
  }
}
